"""Run folders with chosen metrics."""

import json
from collections.abc import Sequence
from pathlib import Path


def leave_run(
    results: Path,
    arm: str,
    seed: int,
    accuracies: Sequence[float],
    *,
    rewards: Sequence[float] | None = None,
    entropy: float = 0.5,
    high: float = 1.0,
    low: float = -1.0,
    norms: Sequence[float] = (1.0,),
    exit_code: int = 0,
    seconds: float = 60,
    exponent: float = 0.0,
    exponent_rounds: int | None = None,
) -> Path:
    """Leaves a run of one round for each reward, validated as often as there are accuracies, evenly spread."""
    rewards = list(rewards or [0.5] * 10)
    stride = max(1, len(rewards) // max(1, len(accuracies) - 1))
    rows = [{"step": 0, "data": {"val-core/x/acc/mean@4": accuracies[0]}}]
    for step, reward in enumerate(rewards, start=1):
        data = {
            "critic/rewards/mean": reward,
            "actor/entropy": entropy,
            "actor/grad_norm": norms[step % len(norms)],
            "gmpo/log_ratio_max": high,
            "gmpo/log_ratio_min": low,
            "gmpo/clip_frac_high": 0.01 * (step % 2),
            "gmpo/clip_frac_low": 0.02,
        }
        if step % stride == 0 and step // stride < len(accuracies):
            data["val-core/x/acc/mean@4"] = accuracies[step // stride]
        rows.append({"step": step, "data": data})
    folder = results / "runs" / f"{arm}-seed{seed}"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = {"arm": arm, "seed": seed, "seconds": seconds, "exit_code": exit_code}
    (folder / "run.json").write_text(json.dumps(made | {"commit": "c0ffee", "machine": "abacus"}))
    loss = {"mean_exponent": exponent, "mean_exponent_rounds": exponent_rounds}
    config = {"actor_rollout_ref": {"actor": {"policy_loss": loss}}}
    (folder / "config.yaml").write_text(json.dumps(config))
    return folder
