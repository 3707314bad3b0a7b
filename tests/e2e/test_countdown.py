"""CountDown in the real stack, with a dense model and with a mixture of experts: weights arrive, rewards are given."""

import json
from pathlib import Path

import pytest
from small_run import assert_trained, run_python

pytestmark = pytest.mark.e2e

SMALL = (
    "recipe=countdown",
    "countdown.clean_steps=60",
    "countdown.stray_steps=0",
    "countdown.validation_size=16",
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=4",
    "actor_rollout_ref.actor.optim.lr_warmup_steps=0",
    "trainer.total_training_steps=3",
    "trainer.save_freq=-1",
    "run_dir=run",
)


@pytest.mark.parametrize("experts", [1, 8])
def test_countdown_trains_and_the_rollouts_come_from_the_current_weights(experts, tmp_path: Path):
    result = run_python(
        tmp_path, "-m", "gmpo_verl.main_ppo", *SMALL, f"countdown.experts={experts}", timeout=600, GMPO_CACHE="cache"
    )
    metrics = assert_trained(tmp_path, result, steps=3)
    assert all(step["actor/grad_norm"] > 0 or step["gmpo/zero_advantage_frac"] == 1 for step in metrics)
    rows = [json.loads(line) for line in (tmp_path / "run" / "rollouts" / "3.jsonl").read_text().splitlines()]
    assert len(rows) == 64
    assert all(row["gts"].startswith("countdown: ") for row in rows)
