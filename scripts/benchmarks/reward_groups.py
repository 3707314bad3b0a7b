r"""Groups of eight responses to real problems, of which it is known by construction which are right.

Right ones carry the ground truth, or an equivalent form of it (``\frac{1}{2}`` as 0.5, a + b as b + a, other LaTeX);
wrong ones carry the answers of the next problems.
"""

import ast
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pyarrow.parquet

from gmpo_verl.rewards.answer import extract_answer

GROUP_SIZE = 8
NEIGHBOURS = 3  # how many other problems the wrong answers of a group come from

SUITE = ("aime", "amc", "math", "minerva", "olympiad_bench")


class Problem(NamedTuple):
    reasoning: str  # up to the box
    answer: str


class Response(NamedTuple):
    text: str
    ground_truth: str
    kind: str  # verbatim, rewritten or next

    @property
    def is_right(self) -> bool:
        return self.kind != "next"


def load_problems(folder: Path) -> dict[str, list[Problem]]:
    """The problems of each data set: MATH's test set, GSM8K's training set and the official evaluation suite."""
    solutions = pyarrow.parquet.read_table(folder / "MATH" / "test.parquet")["solution"].to_pylist()
    official = folder / "understand_r1_zero"
    suite = [row for name in SUITE for row in _rows(official / "evaluation_suite" / name)]
    return {
        "MATH": [_of_solution(solution) for solution in solutions if extract_answer(solution)],
        "GSM8K": _of_rows(_rows(official / "train" / "gsm_8k" / "train")),
        "evaluation suite": _of_rows(suite),
    }


def groups(problems: list[Problem], count: int, seed: int = 0) -> list[Response]:
    """``count`` groups of GROUP_SIZE responses, one to seven of each right, equal answers among them."""
    chance = random.Random(seed)
    responses = []
    for index in chance.sample(range(len(problems)), min(count, len(problems))):
        problem = problems[index]
        rewritten = list(equivalent_forms(problem.answer)) or [problem.answer]
        others = [problems[(index + step) % len(problems)].answer for step in range(1, NEIGHBOURS + 1)]
        wrong = [answer for answer in others if not _may_be_equal(answer, problem.answer)]
        right_count = chance.randrange(1, GROUP_SIZE) if wrong else GROUP_SIZE
        for place in range(GROUP_SIZE):
            if place >= right_count:
                answer, kind = chance.choice(wrong), "next"
            elif place % 2 == 0:
                answer, kind = problem.answer, "verbatim"
            else:
                answer, kind = chance.choice(rewritten), "rewritten"
            responses.append(Response(rf"{problem.reasoning}$\boxed{{{answer}}}$.", problem.answer, kind))
    return responses


def equivalent_forms(answer: str) -> Iterator[str]:
    """Other ways to write the same answer."""
    for rewrite in (_as_decimal, _as_fraction, _with_separators, _display_style, _sized_brackets, _reordered):
        form = rewrite(answer)
        if form is not None and form != answer:
            yield form


def _as_decimal(answer: str) -> str | None:
    match = re.fullmatch(r"(-?)\\[dt]?frac\{(\d{1,6})\}\{(\d{1,6})\}|(-?)(\d{1,6})/(\d{1,6})", answer)
    if match is None:
        return None
    sign, top, bottom = (group for group in match.groups() if group is not None)
    if int(bottom) == 0 or 10**6 % Fraction(int(top), int(bottom)).denominator:
        return None
    return f"{sign}{int(top) / int(bottom):.6f}".rstrip("0").rstrip(".")


def _as_fraction(answer: str) -> str | None:
    if re.fullmatch(r"\d{1,9}", answer):
        return rf"\frac{{{2 * int(answer)}}}{{2}}"
    if re.fullmatch(r"\d{1,6}\.\d{1,6}", answer):
        value = Fraction(answer)
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return None


def _with_separators(answer: str) -> str | None:
    return f"{int(answer):,}.00" if re.fullmatch(r"\d{1,12}", answer) else None


def _display_style(answer: str) -> str | None:
    return re.sub(r"\\frac(?![a-zA-Z])", r"\\dfrac", answer)


def _sized_brackets(answer: str) -> str | None:
    is_balanced = answer.count("(") == answer.count(")") and not re.search(
        r"[\[\]]|\\left|\\right|\\text|\\mbox", answer
    )
    return answer.replace("(", r"\left( ").replace(")", r" \right)") if is_balanced else None


def _reordered(answer: str) -> str | None:
    """b + a for a + b, where the sum is all there is outside brackets."""
    if not re.fullmatch(r"(?:\\(?:frac|dfrac|sqrt|pi|sin|cos)(?![a-zA-Z])|[a-z\d{}()+\-^ ])+", answer):
        return None
    terms, depth = [""], 0
    for char in answer:
        depth += (char in "({") - (char in ")}")
        if char in "+-" and depth == 0 and terms[-1].strip():
            terms.append("")
        terms[-1] += char
    if len(terms) < 2 or depth != 0:
        return None
    signed = [term.strip() if term.strip()[0] in "+-" else f"+{term.strip()}" for term in reversed(terms)]
    return "".join(signed).removeprefix("+")


def _may_be_equal(answer: str, other: str) -> bool:
    """The same text but for layout, or two numbers of the same value."""
    return _skeleton(answer) == _skeleton(other) or (_value(answer) is not None and _value(answer) == _value(other))


def _skeleton(answer: str) -> str:
    return re.sub(r"\\(?:text|mbox|left|right|dfrac|tfrac|frac|!|,)|[\s${}\\]", "", answer).casefold()


def _value(answer: str) -> Fraction | None:
    text = re.sub(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", answer.replace(",", "").replace("$", ""))
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _of_solution(solution: str) -> Problem:
    answer = extract_answer(solution)
    assert answer is not None
    return Problem(solution[: solution.rindex(r"\boxed")].rstrip("$ "), answer)


def _of_rows(rows: list[dict[str, str]]) -> list[Problem]:
    return [Problem("The answer is ", answer) for row in rows if (answer := _single_answer(str(row["answer"])))]


def _single_answer(answer: str) -> str | None:
    """The suite writes some as lists of one; of several only one need be given, and that is no question of equality."""
    accepted = ast.literal_eval(answer) if answer.startswith("['") else [answer]
    return accepted[0].strip().strip("$") if len(accepted) == 1 else None


def _rows(folder: Path) -> list[dict[str, str]]:
    (file,) = folder.glob("*.arrow")
    return pyarrow.ipc.open_stream(file).read_all().to_pylist()
