import pytest

from gmpo_verl.rewards.words import choice_verdict, words_verdict


@pytest.mark.parametrize(
    ("answer", "truth", "verdict"),
    [
        ("A", "(A)", True),
        ("B", "(A)", False),
        ("(a)", "A", True),
        ("a", "A", False),
        ("n", "N", False),
        ("(A) 5", "A", True),
        ("A. 5", "B", False),
        ("5", "A", None),
        ("A", "5", None),
        ("A, B", "A", None),
    ],
)
def test_a_choice_is_its_letter(answer: str, truth: str, verdict: bool | None) -> None:
    assert choice_verdict(answer, truth) is verdict


@pytest.mark.parametrize(
    ("answer", "truth", "verdict"),
    [
        ("Even", "even", True),
        (r"\text{even}", "even", True),
        ("an ellipse", "ellipse", True),
        ("neve", "even", False),
        ("5", "even", False),
        ("june 20", "June 20", True),
        ("cba", "abc", None),
        ("AB", "ab", None),
        ("x+1", "x+1", None),
        ("5", "5", None),
    ],
)
def test_words_are_compared_as_words(answer: str, truth: str, verdict: bool | None) -> None:
    assert words_verdict(answer, truth) is verdict
