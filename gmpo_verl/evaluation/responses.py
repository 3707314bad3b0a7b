"""Existing answers: our `answers.jsonl`, or the JSON of the official evaluator (`evaluate_model.py --save`)."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.answer_file import ANSWERS
from gmpo_verl.files import existing_sibling
from gmpo_verl.rewards.answer import template_of
from gmpo_verl.rewards.equivalence import acceptable_answers

_OPTION = "--responses"
_OUR_FIELDS = ("benchmark", "index", "sample", "response", "ground_truth", "template")
_OFFICIAL_FIELDS = ("task_name", "prompt", "gt", "model_output")
_OFFICIAL_NAMES = {"aime": "aime24", "math": "math500"}
_R1_PROMPT_END = "Assistant: <think>"


def read_responses(name: str, max_tokens: int) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The answers by benchmark and problem, samples in order; each with the fields of our own file.

    Args:
        name: of the file.
        max_tokens: where the official evaluator cut answers off; its file does not say which it did.

    Raises:
        UserError: no such file, neither of the two forms, a field that is missing, or unequal numbers of answers; the
            message names `--responses`.
    """
    file = Path(name).expanduser()
    rows = list(_official(name, rows, max_tokens) if (rows := _json_list(name, file)) else _ours(name, file))
    problems: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}
    for row in rows:
        problems.setdefault((row["benchmark"], row["index"]), {})[row["sample"]] = row
    _check_counts(name, problems)
    return {key: [samples[number] for number in sorted(samples)] for key, samples in sorted(problems.items())}


def _json_list(name: str, file: Path) -> list[Any] | None:
    """The list of an official file; None where the file holds JSON lines."""
    if not file.exists():
        raise UserError(f"{_OPTION} {name} does not exist: {existing_sibling(file)}")
    if file.is_dir():
        hint = f"did you mean {file / ANSWERS}?" if (file / ANSWERS).is_file() else "write a file of answers."
        raise UserError(f"{_OPTION} {name} is a folder: {hint}")
    try:
        text = file.read_text(encoding="utf-8")
        if not text.strip():
            raise UserError(f"{_OPTION} {name} is empty: write a file with answers.")
        if not text.lstrip().startswith("["):
            return None
        rows = json.loads(text)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{_OPTION} {name} cannot be read ({error}): write a complete file.") from error
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{_OPTION} {name} is an empty list: write a file with answers.")
    return rows


def _ours(name: str, file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n") and number > 1:
                return  # the last line of an evaluation that was killed
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(
                    f"{_OPTION} {name} line {number} is no JSON: write {ANSWERS} of an evaluation."
                ) from error
            yield _checked(f"{_OPTION} {name} line {number}", row, _OUR_FIELDS)


def _official(name: str, rows: list[Any], max_tokens: int) -> Iterator[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for number, row in enumerate(rows):
        where = f"{_OPTION} {name} entry {number}"
        _require(where, row, _OFFICIAL_FIELDS)
        benchmark = _OFFICIAL_NAMES.get(row["task_name"], row["task_name"])
        outputs, truths = row["model_output"], row["gt"]
        if not isinstance(outputs, list) or not isinstance(truths, list) or len(truths) != len(outputs):
            raise UserError(f"{where} needs model_output and gt as lists of the same length, one element an answer.")
        lengths = [len(tokens) for tokens in row.get("model_output_token_ids") or ()]
        for sample, (response, truth) in enumerate(zip(outputs, truths, strict=True)):
            answer = {
                "benchmark": benchmark,
                "index": counts[benchmark],
                "sample": sample,
                "response": response,
                "ground_truth": truth,
                "template": "r1" if str(row["prompt"]).endswith(_R1_PROMPT_END) else "qwen_math",
            }
            if len(lengths) == len(outputs):
                answer |= {"tokens": lengths[sample], "truncated": lengths[sample] >= max_tokens}
            yield _checked(where, answer, _OUR_FIELDS)
        counts[benchmark] += 1


def _checked(where: str, row: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    _require(where, row, fields)
    if not isinstance(row["response"], str):
        raise UserError(f"{where} has a response that is no text.")
    if not acceptable_answers(row["ground_truth"]):
        raise UserError(f"{where} has no usable ground truth.")
    try:
        template_of(row["template"])
    except ValueError as error:
        raise UserError(f"{where}: {error}.") from error
    assert isinstance(row, dict)
    return row


def _require(where: str, row: Any, fields: tuple[str, ...]) -> None:
    missing = [field for field in fields if field not in row] if isinstance(row, dict) else list(fields)
    if missing:
        raise UserError(
            f"{where} has no {', '.join(missing)}: a file of ours has {', '.join(_OUR_FIELDS)} on each line, "
            f"one of the official evaluator a list of objects with {', '.join(_OFFICIAL_FIELDS)}."
        )


def _check_counts(name: str, problems: dict[tuple[str, int], dict[int, dict[str, Any]]]) -> None:
    first: dict[str, tuple[int, int]] = {}
    for (benchmark, index), samples in sorted(problems.items()):
        start, count = first.setdefault(benchmark, (index, len(samples)))
        if len(samples) != count:
            raise UserError(
                f"{_OPTION} {name} has {len(samples)} answers of {benchmark} {index}, but {count} of {start}: "
                "an evaluation that was killed is completed by its own command."
            )
