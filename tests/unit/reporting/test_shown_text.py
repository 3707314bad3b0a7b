"""No text can reorder, hide or break what stands around it."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.reporting.payload import script_json
from gmpo_verl.reporting.text import displayable, shortened, whole

SCRIPT_A = "\N{MATHEMATICAL SCRIPT CAPITAL A}"
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANY_TEXT)
def test_whole_text_can_always_be_written_as_utf8(text: str) -> None:
    whole(text).encode("utf-8")


def test_whole_text_keeps_what_is_valid_and_joins_surrogate_pairs() -> None:
    assert whole(f"plain ∑ {SCRIPT_A}") == f"plain ∑ {SCRIPT_A}"
    assert whole("\ud835\udc9c") == SCRIPT_A
    assert whole("a\ud800b") == "a\N{REPLACEMENT CHARACTER}b"


@given(ANY_TEXT)
def test_displayable_text_holds_no_control_character_but_line_ends_and_tabs(text: str) -> None:
    kept = [char for char in displayable(text) if unicodedata.category(char) in ("Cc", "Zl", "Zp")]
    assert set(kept) <= {"\n", "\t"}


def test_bidirectional_controls_are_made_visible() -> None:
    assert displayable("a\u202eb\u2066c") == "a<U+202E>b<U+2066>c"


@given(ANY_TEXT, st.integers(1, 50))
def test_a_shortened_text_is_one_line_within_its_limit(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    assert "\n" not in short


@given(st.recursive(ANY_TEXT.map(whole) | st.floats(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_json_in_a_script_element_has_nothing_that_html_reads_and_gives_the_value_back(value: object) -> None:
    text = script_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.dumps(json.loads(text)) == json.dumps(without_nan(value))


def without_nan(value: object) -> object:
    if isinstance(value, list):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value
