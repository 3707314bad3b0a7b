"""Runs written to disk for the report's browser tests, and a browser to look at their pages with."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WORDS = ["therefore", "the", "sum", "of", "both", "roots", "is", "equal", "since", "triangle", "angle", "remainder"]
FORMULAS = (r"$x^2 + {a}x = {b}$", r"\(\frac{{{a}}}{{{b}}}\)", r"\[\sum_{{k=1}}^{{{a}}} k^2 = {b}\]", r"$\sqrt{{{a}}}$")


def solution(draw: random.Random, answer: int, chars: int) -> str:
    """Prose with mathematics of about `chars` characters that ends in a box."""
    parts: list[str] = []
    size = 0
    while size < chars:
        part = " ".join(draw.choice(WORDS) + str(draw.randrange(40)) * (draw.random() < 0.1) for _ in range(12))
        part += " " + draw.choice(FORMULAS).format(a=draw.randrange(2, 999), b=draw.randrange(2, 999)) + ".\n"
        parts.append(part)
        size += len(part)
    return "".join(parts) + rf"The answer is \boxed{{{answer}}}."


def write_dump(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def append_metrics(folder: Path, steps: Iterable[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        for step in steps:
            data = {
                "critic/rewards/mean": 0.2 + 0.01 * step,
                "actor/entropy": 0.5 - 0.005 * step,
                "gmpo/log_ratio_max": 0.3,
                "gmpo/log_ratio_min": -0.4,
                "timing_s/step": 2.0,
                "timing_s/gen": 1.2,
                "perf/throughput": 1000.0 + step,
            }
            if step % 10 == 0:
                data["val-core/math500/acc/mean@1"] = 0.3 + 0.01 * step
            file.write(json.dumps({"step": step, "data": data}) + "\n")


def write_run(folder: Path, problems: int, steps: int, chars: int) -> None:
    """Validation of the same problems at steps 10, 20, ..., about half of the answers right, some cut off."""
    draw = random.Random(0)
    prompt = "system\nReason step by step.\nuser\nProblem {0}: what is ${0}^2$ modulo $97$?\nassistant\n"
    append_metrics(folder, range(1, steps + 1))
    for step in range(10, steps + 1, 10):
        rows = []
        for problem in range(problems):
            truth, right = problem % 97, draw.random() < 0.5
            truncated = not right and problem % 10 == 0
            output = solution(draw, truth if right else truth + 1, chars)
            rows.append(
                {
                    "input": prompt.format(problem),
                    "output": output[:-30] if truncated else output,
                    "gts": str(truth),
                    "score": float(right),
                    "acc": float(right),
                    "truncated": float(truncated),
                    "data_source": "math500" if problem % 2 else "amc",
                    "step": step,
                }
            )
        write_dump(folder / "validation" / f"{step}.jsonl", rows)
