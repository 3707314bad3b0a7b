"""What a finished run leaves in the repository: its metrics, down-sampled, and how it was made."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from gmpo_verl.files import write_atomically
from gmpo_verl.trainer.run_metrics import metrics_rows

MAX_BYTES = 50_000
DIGITS = 5  # significant ones
# Of a configuration: what tells algorithms apart, and what the report names and groups by.
CONFIG_KEYS = (
    "seed",
    "algorithm.adv_estimator",
    "algorithm.norm_adv_by_std_in_grpo",
    "actor_rollout_ref.actor.clip_ratio_low",
    "actor_rollout_ref.actor.clip_ratio_high",
    "actor_rollout_ref.actor.loss_agg_mode",
    "actor_rollout_ref.actor.optim.lr",
    "actor_rollout_ref.actor.policy_loss.loss_mode",
    "actor_rollout_ref.actor.policy_loss.mean_exponent",
    "actor_rollout_ref.actor.policy_loss.mean_exponent_end",
    "actor_rollout_ref.actor.policy_loss.mean_exponent_rounds",
    "actor_rollout_ref.actor.policy_loss.clip_level",
    "actor_rollout_ref.actor.policy_loss.length_norm",
    "actor_rollout_ref.model.path",
    "actor_rollout_ref.rollout.n",
    "data.train_files",
    "data.train_batch_size",
    "data.max_response_length",
    "trainer.total_training_steps",
)


def keep(run_dir: Path, folder: Path, metrics: Sequence[str], made: dict[str, Any]) -> None:
    """Write a run's `metrics.jsonl`, `config.yaml` and `run.json` to a folder; the last one is written last.

    Args:
        metrics: the names to keep; validation accuracies are kept beside them.
        made: for run.json: command, commit, machine, seconds, exit code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "metrics.jsonl", down_sampled(metrics_rows(run_dir / "metrics.jsonl"), metrics))
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    write_atomically(folder / "config.yaml", yaml.safe_dump(_chosen(config), sort_keys=False))
    if made["exit_code"] == 0:
        write_atomically(folder / "finished.json", json.dumps({}) + "\n")
    write_atomically(folder / "run.json", json.dumps(made, indent=2) + "\n")


def down_sampled(rows: Iterable[dict[str, Any]], metrics: Sequence[str], max_bytes: int = MAX_BYTES) -> str:
    """The chosen metrics as JSON lines of at most `max_bytes`: rounded, then every second, third, ... row.

    Rows with a validation, and the last row, always stay.
    """
    kept = [{"step": row["step"], "data": _rounded(row["data"], metrics)} for row in rows]
    for stride in range(1, len(kept) + 1):
        text = "".join(
            json.dumps(row) + "\n"
            for index, row in enumerate(kept)
            if index % stride == 0 or index == len(kept) - 1 or any(map(_is_accuracy, row["data"]))
        )
        if len(text) <= max_bytes:
            return text
    return ""


def _rounded(data: dict[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name in metrics or _is_accuracy(name)}
    return {name: _round(value) if isinstance(value, float) else value for name, value in kept.items()}


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else value


def _is_accuracy(name: str) -> bool:
    return name.startswith("val-core/") and "/acc/mean@" in name


def _chosen(config: dict[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for key in CONFIG_KEYS:
        node: Any = config
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        *folders, last = key.split(".")
        place = chosen
        for part in folders:
            place = place.setdefault(part, {})
        place[last] = node
    return chosen
