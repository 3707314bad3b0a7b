import pytest

from gmpo_verl.rewards.normalization import as_words, compact, normalize


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\frac \pi 2", r"\frac{\pi}{2}"),
        ("2/3\\pi", r"\frac{2}{3}\pi"),
        ("3 1/2", "3 1/2"),
        (r"\sqrt 3", r"\sqrt{3}"),
        ("2*sqrt(3)", r"2*\sqrt{3}"),
        ("x**10", "x^{10}"),
        (r"\left( 1,\, 2 \right)", "( 1, 2 )"),
        ("$5$.", "5"),
        (r"\boxed{\boxed{\frac{1}{2}}}", r"\frac{1}{2}"),
        ("1{,}234", "1234"),
        ("0,111", "0,111"),
        ("32, 349", "32, 349"),
        ("1 000 000", "1000000"),
        (r"\textbf{even}", "even"),
        (r"12\text{ and }13", "12 and 13"),
        (r"5\mathrm{~m}", r"5\text{m}"),
        (r"2\mathrm{i}", "2i"),
        ("28 percent", r"28\%"),
        ("1, 2, ...", r"1, 2, \ldots"),
        (r"x \leq 3", r"x \le 3"),
        ("x<=3", r"x\le 3"),
        (r"\{ \}", r"\emptyset"),
        ("The final answer is 5", "5"),
        ("\N{MINUS SIGN}5", "-5"),
        ("", ""),
    ],
)
def test_variants_of_one_spelling_become_one(text: str, normal: str) -> None:
    assert normalize(text) == normal


def test_words_and_compact_forms_unwrap_texts() -> None:
    assert as_words(r"\text{An }\text{Ellipse}") == "an ellipse"
    assert compact(r"x + \text{y} 2 3") == "x+y2 3"
