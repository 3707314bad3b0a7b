"""The tokenizer: lossless, the box in one token, and the same after saving as Qwen2's."""

import json
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2Tokenizer

from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer

TEXTS = [
    "37+58=\\boxed{95}",
    "12+34=46\n46+56=102\n\\boxed{102}<|im_end|>",
    "Janet's ducks lay 16 eggs; she'd sell\tthem at $2 -- 50% off!\r\n\n  é, 一, 😀 \\boxed{\\frac{1}{2}}",
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return make_tokenizer()


@pytest.fixture(scope="module")
def reloaded(tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    return AutoTokenizer.from_pretrained(folder)


@given(text=st.text(max_size=80).map(lambda text: unicodedata.normalize("NFC", text)))
def test_any_normalised_text_comes_back_unchanged(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", TEXTS)
def test_saving_changes_no_token(
    tokenizer: PreTrainedTokenizerBase, reloaded: PreTrainedTokenizerBase, text: str
) -> None:
    assert isinstance(reloaded, Qwen2Tokenizer)
    assert len(reloaded) == len(tokenizer) == 260
    assert reloaded.encode(text) == tokenizer.encode(text)
    assert reloaded.decode(reloaded.encode(text)) == text


def test_real_problems_come_back_unchanged(tokenizer: PreTrainedTokenizerBase, shared_data: Path) -> None:
    texts = pd.read_parquet(shared_data / "MATH" / "test.parquet").head(300).select_dtypes(["object", "string"])
    assert texts.shape[1] >= 2
    for text in texts.to_numpy().ravel():
        text = unicodedata.normalize("NFC", text)
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_box_is_one_token_wherever_it_stands_and_stays_in_the_decoded_text(
    reloaded: PreTrainedTokenizerBase,
) -> None:
    box = reloaded.convert_tokens_to_ids("\\boxed{")
    for text in ("\\boxed{7}", "so \\boxed{7}", "x\\boxed{7}", "=\\boxed{7}", "\n\\boxed{7}"):
        ids = reloaded.encode(text)
        assert ids.count(box) == 1
        assert reloaded.decode(ids, skip_special_tokens=True) == text
    assert len(reloaded.encode("\\boxed{95}<|im_end|>")) == 5


def test_the_end_of_a_turn_and_the_padding_are_special(reloaded: PreTrainedTokenizerBase) -> None:
    assert reloaded.eos_token == "<|im_end|>"
    assert reloaded.pad_token == "<|endoftext|>"
    assert reloaded.decode(reloaded.encode("95<|im_end|><|endoftext|>"), skip_special_tokens=True) == "95"


def test_a_message_is_rendered_as_its_content(reloaded: PreTrainedTokenizerBase) -> None:
    message = [{"role": "user", "content": "37+58="}]
    assert reloaded.apply_chat_template(message, add_generation_prompt=True, tokenize=False) == "37+58="


def test_verls_prompt_builder_renders_six_tokens(reloaded: PreTrainedTokenizerBase) -> None:
    wiring = pytest.importorskip("verl.utils.tokenizer.continuous_token_wiring")
    builder = wiring.create_continuous_token_builder(reloaded, hf_model_type="qwen2")
    ids = builder.build_initial_tokens([{"role": "user", "content": "37+58="}])
    assert ids == reloaded.encode("37+58=")
    assert len(ids) == 6
