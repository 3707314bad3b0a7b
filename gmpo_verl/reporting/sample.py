"""One answer of the model with its grade, as the page shows it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gmpo_verl.reporting.dumps import Kind
from gmpo_verl.reporting.text import whole
from gmpo_verl.reporting.values import finite
from gmpo_verl.rewards.answer import extract_answer

# A response beyond this is cut in its middle: the page stays small, and the end, where the answer stands, stays.
HEAD_CHARS = 12_000
TAIL_CHARS = 8_000
MAX_ANSWER_CHARS = 300

# What chat templates leave of a conversation once their special tokens are dropped: Qwen's, and r1's plain text.
_QUESTIONS = (
    re.compile(r"(?:^|\n)user\n(.*)\nassistant\n?(?:<think>\n?)?$", re.DOTALL),
    re.compile(r"\nUser: (.*)\nAssistant:\s*(?:<think>)?\s*$", re.DOTALL),
)


@dataclass(frozen=True)
class Sample:
    """One response. What the dump does not say is None."""

    run: int  # position among the page's runs
    kind: Kind
    step: int
    prompt: str
    output: str
    chars_cut: int  # characters left out of the middle of `output`
    truth: str
    answer: str | None
    benchmark: str
    score: float | None
    right: bool | None
    truncated: bool | None
    length: int | None  # tokens
    advantage: float | None
    log_ratio: tuple[float, float, float] | None  # sum, least and largest over the response's tokens
    why: str

    @property
    def question(self) -> str:
        """The prompt without the words of its chat template."""
        for pattern in _QUESTIONS:
            if found := pattern.search(self.prompt):
                return found[1].strip()
        return self.prompt.strip()


def sample_of(row: Mapping[str, Any], run: int, kind: Kind, max_length: int | None, benchmark: str) -> Sample:
    """The sample of a dump's row, whatever types its values have.

    Args:
        run: position among the page's runs.
        max_length: the longest response allowed, in tokens, None where it is not known.
        benchmark: where the row does not name its own (`data_source`).
    """
    prompt, output = _text(row.get("input")), _text(row.get("output"))
    score = finite(row.get("score", row.get("reward")))
    accuracy = finite(row.get("acc"))
    verdict = score if accuracy is None else accuracy
    right = None if verdict is None else verdict > 0
    answer = _answer(prompt, output, right)
    length = finite(row.get("length"))
    truncated = _truncated(row.get("truncated"), length, max_length, answer)
    shown, cut = _shortened(output)
    return Sample(
        run=run,
        kind=kind,
        step=row["step"],
        prompt=_shortened(prompt)[0],
        output=shown,
        chars_cut=cut,
        truth=_text(row.get("gts"))[:MAX_ANSWER_CHARS],
        answer=answer[:MAX_ANSWER_CHARS] if answer is not None else None,
        benchmark=_text(row.get("data_source") or benchmark)[:MAX_ANSWER_CHARS],
        score=score,
        right=right,
        truncated=truncated,
        length=None if length is None else int(length),
        advantage=finite(row.get("advantage")),
        log_ratio=_log_ratio(row),
        why=_why(row, score, right, truncated, answer),
    )


def _answer(prompt: str, output: str, right: bool | None) -> str | None:
    """What the grader read as the answer. Dumps do not say the template, but the prompt and the grade do."""
    if prompt.rstrip().endswith("<think>"):
        return extract_answer(output, "r1")
    boxed = extract_answer(output, "qwen_math")
    # A right answer without a box was asked for without one.
    return extract_answer(output, "none") if boxed is None and right else boxed


def _truncated(said: Any, length: float | None, max_length: int | None, answer: str | None) -> bool | None:
    """As the dump says it; else a response at the limit that has not come to an answer counts as cut off."""
    if said is not None:
        return bool(finite(said))
    if length is None or max_length is None:
        return None
    return length >= max_length and answer is None


def _why(row: Mapping[str, Any], score: float | None, right: bool | None, truncated: bool | None, answer: Any) -> str:
    """The reward's reason in a sentence, and what the answer taught."""
    if right is None:
        reason = "The dump holds no grade of this answer."
    elif finite(row.get("timed_out")):
        reason = "Not graded: comparing the answer took too long and was stopped, so it counts as wrong."
    elif finite(row.get("error")):
        reason = "Not graded: the comparison failed, or the ground truth cannot be used. It counts as wrong."
    elif truncated:
        reason = "The response was cut off at the longest length allowed, and a cut-off response gets a fixed reward."
    elif score not in (0.0, 1.0, None):
        reason = f"The run's reward function gave {score:.4g}."
    elif right:
        reason = "The answer equals the ground truth."
    elif answer is None:
        reason = "No answer was found in the response, such as a closed \\boxed{...}."
    else:
        reason = "The answer does not equal the ground truth."
    advantage = finite(row.get("advantage"))
    if advantage is None:
        return reason
    if advantage == 0:
        return f"{reason} All answers of its group got the same reward, so it taught nothing."
    side = "above" if advantage > 0 else "below"
    return f"{reason} Its reward is {side} its group's mean: the advantage is {advantage:+.2f}."


def _log_ratio(row: Mapping[str, Any]) -> tuple[float, float, float] | None:
    values = [finite(row.get(f"log_ratio_{name}")) for name in ("sum", "min", "max")]
    total, low, high = values
    return None if total is None or low is None or high is None else (total, low, high)


def _shortened(text: str) -> tuple[str, int]:
    cut = len(text) - HEAD_CHARS - TAIL_CHARS
    if cut <= 0:
        return text, 0
    return text[:HEAD_CHARS] + "\n\N{HORIZONTAL ELLIPSIS}\n" + text[-TAIL_CHARS:], cut


def _text(value: Any) -> str:
    if value is None:
        return ""
    return whole(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
