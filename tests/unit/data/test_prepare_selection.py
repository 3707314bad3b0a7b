import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.data import held_out
from gmpo_verl.data.selection import Account, choose
from gmpo_verl.data.sets import SETS
from gmpo_verl.data.sources import Source, Split


def run(name, rows):
    split = Split("train", tuple(rows[0]) if rows else (), len(rows), lambda: iter(rows))
    account = Account()
    return list(choose(SETS[name], Source("s", "s", (split,)), split, account)), account


def math(problem="What?", level="Level 4", solution=r"So $\boxed{7}$."):
    return {"problem": problem, "level": level, "type": "Algebra", "solution": solution}


def test_math_takes_levels_3_to_5_and_the_last_box_of_the_solution():
    rows = [math(f"p{level}", f"Level {level}", rf"\boxed{{0}} then \boxed{{{level}}}") for level in "12345?"]
    chosen, account = run("math_lvl3to5", rows)
    assert [(one.problem.text, one.accepted, one.index) for one in chosen] == [
        ("p3", ("3",), 2),
        ("p4", ("4",), 3),
        ("p5", ("5",), 4),
    ]
    assert account.left_out == {"the level is not 3, 4 or 5": {"train": [0, 1, 5]}}
    assert (account.rows_in, account.rows_of_set, account.rows_out) == (6, 3, 3)


def test_a_benchmark_problem_is_found_whatever_its_white_space(monkeypatch):
    secret = "Find the\n  value of $x$."
    monkeypatch.setattr(held_out, "_digests", lambda name: {held_out.digest(secret)} if name == "math500" else set())
    chosen, account = run("math_lvl3to5", [math("Find  the value\tof $x$ ."), math("Find the value of $y$.")])
    assert [one.problem.text for one in chosen] == ["Find the value of $y$."]
    assert account.left_out == {"in the benchmark math500": {"train": [0]}}


@given(st.text(), st.lists(st.sampled_from(" \t\n\u00a0\u2003"), max_size=5), st.integers(0, 50))
def test_white_space_anywhere_does_not_change_a_digest(text, spaces, place):
    assert held_out.digest(text[:place] + "".join(spaces) + text[place:]) == held_out.digest(text)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "no answer"),
        ("  ", "no answer"),
        ([], "no answer"),
        ([None, ""], "no answer"),
        (float("nan"), "no answer"),
        (r"\frac{1", "no box can hold the answer: its braces do not match, or it is too long"),
        ("1" * 3000, "no box can hold the answer: its braces do not match, or it is too long"),
        ("\ud800", "no box can hold the answer: its braces do not match, or it is too long"),
    ],
)
def test_a_row_without_a_usable_answer_is_counted_and_listed(answer, reason):
    rows = [{"problem": "p", "answer": answer}, {"problem": "q", "answer": "1"}]
    chosen, account = run("deepscaler", rows)
    assert [one.problem.text for one in chosen] == ["q"]
    assert account.dropped == {reason: {"train": [0]}}
    assert (account.rows_in, account.rows_of_set, account.rows_out) == (2, 2, 1)


@pytest.mark.parametrize("text", [None, "", " \n", 7, "\ud800"])
def test_a_row_without_a_problem_text_is_counted_and_listed(text):
    _, account = run("deepscaler", [{"problem": text, "answer": "1"}, {"problem": "q", "answer": "1"}])
    assert list(account.dropped.values()) == [{"train": [0]}]


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [(142.0, ("142",)), (0.5, ("0.5",)), (7, ("7",)), (["9.6\n", "9.60"], ("9.6", "9.60")), (["", "2"], ("2",))],
)
def test_floats_and_lists_become_acceptable_strings(answer, accepted):
    chosen, _ = run("deepscaler", [{"problem": "p", "answer": answer}])
    assert chosen[0].accepted == accepted


def test_every_row_is_either_out_or_accounted_for():
    rows = [math(level="Level 1"), math(), math(solution="none"), math(problem="")]
    _, account = run("math_lvl3to5", rows)
    told = account.as_json()
    gone = sum(entry["count"] for key in ("left_out", "dropped") for entry in told[key])
    assert told["rows_in"] == told["rows_out"] + gone == 4


def test_gsm8k_reads_both_of_its_layouts():
    hub = {"question": "How many?", "answer": "He has 2*600=<<2*600=1200>>1200.\n#### 1,200"}
    plain = {"problem": "How many?", "answer": "1,200"}
    for row in (hub, plain):
        (one,), _ = run("gsm8k", [row])
        assert (one.problem.text, one.accepted) == ("How many?", ("1,200",))


def test_asdiv_reads_both_of_its_layouts():
    hub = {"body": "Seven red and two green.", "question": "How many?", "answer": "9 (apples)", "solution_type": "Sum"}
    (one,), _ = run("asdiv", [hub])
    assert (one.problem.text, one.accepted) == ("Seven red and two green. How many?", ("9",))
    (one,), _ = run("asdiv", [{"problem": "How many?", "answer": "9"}])
    assert (one.problem.text, one.accepted) == ("How many?", ("9",))


def test_the_package_holds_a_digest_for_every_benchmark_problem():
    sizes = {name: len(held_out._digests(name)) for name in SETS["deepscaler"].held_out}
    assert sizes == {"aime24": 30, "amc": 83, "math500": 500, "minerva": 272, "olympiad_bench": 675}
