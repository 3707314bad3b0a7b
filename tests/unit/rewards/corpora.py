"""Ground truths of real data sets, and other spellings of them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gmpo_verl.rewards.answer import extract_answer


def evaluation_suite(shared_data: Path) -> list[Any]:
    """The 1,560 ground truths of AIME24, AMC, MATH500, Minerva and OlympiadBench as they are stored."""
    ipc = pytest.importorskip("pyarrow.ipc")
    files = sorted((shared_data / "understand_r1_zero" / "evaluation_suite").glob("*/*.arrow"))
    if not files:
        pytest.skip(f"no evaluation suite in {shared_data}")
    return [truth for file in files for truth in ipc.open_stream(file).read_all()["answer"].to_pylist()]


def math_answers(shared_data: Path) -> list[str]:
    """The boxed answers of MATH's 12,500 solutions, but for the two rows whose box is empty."""
    parquet = pytest.importorskip("pyarrow.parquet")
    files = [shared_data / "MATH" / f"{split}.parquet" for split in ("train", "test")]
    if not all(file.is_file() for file in files):
        pytest.skip(f"no MATH in {shared_data}")
    solutions = [solution for file in files for solution in parquet.read_table(file)["solution"].to_pylist()]
    answers = [extract_answer(solution) for solution in solutions]
    assert len(answers) == 12_500 and answers.count("") == 2 and None not in answers
    return [answer for answer in answers if answer]


def _slash(text: str) -> str:
    mixed = re.search(r"\d\s*\\[dt]?frac|\\sec|\\frac\{[^{}]*\\frac", text)
    return text if mixed else re.sub(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text)


def _decimal(text: str) -> str:
    match = re.fullmatch(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}", text)
    return f"{match[1]}{int(match[2]) / int(match[3]):.10f}" if match else text


def _reordered(text: str) -> str:
    match = re.fullmatch(r"([^-+,()\[\]{}=<>]+)\+([^-+,()\[\]{}=<>]+)", text)
    return f"{match[2].strip()}+{match[1].strip()}" if match else text


def _spaced(text: str) -> str:
    return text if re.search(r"\d,\d|\\begin|,\\!|text|\\,", text) else re.sub(r"([-+=,])", r" \1 ", text)


def _sized_parentheses(text: str) -> str:
    if "left" in text or r"\{" in text or "[" in text or text.count("(") != text.count(")"):
        return text
    return text.replace("(", r"\left(").replace(")", r"\right)")


_PAIR = r"-?\d{1,2}, ?-?\d{1,2}"

# Each gives the text itself where it does not apply.
REWRITES: dict[str, Callable[[str], str]] = {
    "dfrac": lambda text: re.sub(r"\\frac(?![a-zA-Z])", r"\\dfrac", text),
    "slash": _slash,
    "decimal": _decimal,
    "thousands": lambda text: f"{int(text):,}" if re.fullmatch(r"-?[1-9]\d{3,}", text) else text,
    "reordered sum": _reordered,
    "spaces": _spaced,
    "left and right": _sized_parentheses,
    "dollars": lambda text: f"${text}$",
    "parentheses": lambda text: rf"\({text}\)",
    "box": lambda text: rf"\boxed{{{text}}}",
    "bold": lambda text: rf"\mathbf{{{text}}}" if re.fullmatch(r"-?[\d.]+", text) else text,
    "full stop": lambda text: f"{text}.",
    "name": lambda text: f"x = {text}" if re.fullmatch(r"(?:\\frac|\\sqrt|[-+\d.{} ])+", text) else text,
    "bare words": lambda text: re.sub(r"^\\text\{([^{}]*)\}$", r"\1", text),
    "no degrees": lambda text: text if re.search("sin|cos|tan", text) else re.sub(r"\^\{?\\circ\}?$", "", text),
    "no unit": lambda text: re.sub(
        r"(?<=\d)\s*\\(?:text|mbox)\{ ?(?:inches|cm|feet|units|degrees|miles)\}(?:\^\d)?$", "", text
    ),
    "short root": lambda text: re.sub(r"\\sqrt\{(\d)\}", r"\\sqrt\1", text),
    "brackets of a matrix": lambda text: text.replace("pmatrix", "bmatrix"),
    "dot": lambda text: re.sub(r"(?<=\d)(?=\\sqrt)", r" \\cdot ", text),
    "minus sign": lambda text: text.replace("-", "\N{MINUS SIGN}"),
    "pi": lambda text: re.sub(r"\\pi(?![a-zA-Z])", "\N{GREEK SMALL LETTER PI}", text),
    "set": lambda text: rf"\{{{text}\}}" if re.fullmatch(_PAIR, text) else text,
    "and": lambda text: re.sub(r", ?", r" \\text{ and } ", text) if re.fullmatch(_PAIR, text) else text,
    "reversed list": lambda text: ", ".join(reversed(text.split(","))) if re.fullmatch(_PAIR, text) else text,
}
