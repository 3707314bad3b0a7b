import pytest

from gmpo_verl.rewards.structure import parse_structure, structures_agree


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("5", "single", ["5"]),
        ("(5)", "single", ["5"]),
        ("[5]", "single", ["[5]"]),
        ("1, 2", "list", ["1", "2"]),
        ("1 and 2", "list", ["1", "2"]),
        ("1, 2, and 3", "list", ["1", "2", "3"]),
        (r"\{1, 2\}", "set", ["1", "2"]),
        ("(1, 2)", "tuple", ["1", "2"]),
        (r"\langle 1, 2\rangle", "tuple", ["1", "2"]),
        ("[1, 2)", "interval", ["1", "2"]),
        ("(1,2),(3,4)", "list", ["(1,2)", "(3,4)"]),
        (r"1 \pm \sqrt{2}", "list", [r"1 + \sqrt{2}", r"1 - \sqrt{2}"]),
        (r"\pm 3", "list", ["3", "- 3"]),
        (r"(-\infty,1)\cup(2,3)", "union", [r"(-\infty,1)", "(2,3)"]),
        ("x<1 or x>2", "union", [r"(-\infty,1)", r"(2,\infty)"]),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "matrix", ["1", "2", "3", "4"]),
        (r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", "single", [r"\begin{vmatrix}1&2\\3&4\end{vmatrix}"]),
        (r"\begin{pmatrix}1&2\\3\end{pmatrix}", "single", [r"\begin{pmatrix}1&2\\3\end{pmatrix}"]),
        ("f(1,2)", "single", ["f(1,2)"]),
        ("(1,2", "single", ["(1,2"]),
        ("1,,2", "single", ["1,,2"]),
        (r"5\text{ or more}", "single", [r"5\text{ or more}"]),
    ],
)
def test_the_structure_of_an_answer(text: str, kind: str, parts: list[str]) -> None:
    structure = parse_structure(text)
    assert (structure.kind, structure.parts) == (kind, parts)


@pytest.mark.parametrize(
    ("answer", "truth", "agree"),
    [
        ("1,2", "2,1", True),
        ("1,2", "1,?", None),
        ("1,3", "1,?", None),
        ("1,2,3", "1,2", False),
        ("(1,2)", "(2,1)", False),
        ("(1,?)", "(2,1)", False),
        ("(1,?)", "(1,2)", None),
        ("(1,2)", "1,2", True),
        ("1,2", "(1,2)", False),
        ("(1,2)", r"\{1,2\}", False),
        ("(1,2]", "[1,2)", False),
        ("x=1, y=2", "(1,2)", True),
        ("x=2, y=1", "(1,2)", False),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)", True),
        (r"\begin{pmatrix}1&2\end{pmatrix}", "(1,2)", False),
        (r"(1,2)\cup(3,4)", r"(3,4)\cup(1,2)", True),
        (r"(1,2)\cup(3,4)", "(1,4)", None),
    ],
)
def test_structures_agree_when_their_brackets_and_parts_do(answer: str, truth: str, agree: bool | None) -> None:
    def compare(a: str, b: str) -> bool | None:
        return None if "?" in a + b else a == b

    assert structures_agree(parse_structure(answer), parse_structure(truth), compare) is agree
