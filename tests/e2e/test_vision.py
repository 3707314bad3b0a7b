"""Figures in Geometry3K's columns: prepared, trained on for three steps of the real stack, validated."""

import importlib.util
import json
import math

import pytest
import tiny_vl
from small_run import assert_trained, run_python, train

from gmpo_verl.cpu import torchvision_schemas

pytestmark = [
    pytest.mark.e2e,
    *(
        pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{package} is not installed")
        for name, package in (("torchvision", "torchvision"), ("qwen_vl_utils", "qwen-vl-utils"))
    ),
]

STEPS, PROMPTS, GROUP, ANSWERS = 3, 8, 8, 4
ROWS = STEPS * PROMPTS


@pytest.mark.timeout(420)
def test_a_small_qwen2_5_vl_trains_on_figures(tmp_path):
    tiny_vl.write_figures(tmp_path / "figures", ROWS)
    prepared = run_python(
        tmp_path,
        *("-m", "gmpo_verl.prepare_data", "geometry3k", "--source", "figures", "--out", "data"),
        timeout=120,
    )
    assert prepared.returncode == 0, prepared.stderr
    torchvision_schemas.install()
    tiny_vl.make_model(tmp_path / "model")

    result = train(
        tmp_path,
        "actor_rollout_ref.model.path=model",
        "data.train_files=data/train.parquet",
        "data.val_files=data/test.parquet",
        "data.max_prompt_length=256",
        f"+data.mm_processor_kwargs.min_pixels={tiny_vl.MIN_PIXELS}",
        f"+data.mm_processor_kwargs.max_pixels={tiny_vl.MAX_PIXELS}",
        "+actor_rollout_ref.rollout.engine_kwargs.vllm.limit_mm_per_prompt={image: 1, video: 0}",
        f"actor_rollout_ref.rollout.n={GROUP}",
        f"actor_rollout_ref.rollout.val_kwargs.n={ANSWERS}",
        f"trainer.total_training_steps={STEPS}",
        f"trainer.test_freq={STEPS}",
        timeout=300,
    )
    steps = assert_trained(tmp_path, result, STEPS)

    # What a figure adds to a prompt: a token for each 28 x 28 pixels, one before and one after.
    lengths = [tiny_vl.text_tokens() + 2 + tiny_vl.image_tokens(size) for size in tiny_vl.SIZES]
    assert {step["prompt_length/max"] for step in steps} == {max(lengths)}
    assert min(step["prompt_length/min"] for step in steps) == min(lengths)
    mean = sum(step["prompt_length/mean"] for step in steps) / STEPS
    assert mean == pytest.approx(sum(lengths) / len(lengths))  # every size as often as the others

    for step in steps:
        assert all(math.isfinite(step[name]) for name in ("actor/pg_loss", "actor/grad_norm", "critic/score/mean"))
    assert max(step["actor/grad_norm"] for step in steps) > 0
    answers = rows_of(tmp_path, "validation", 0) + rows_of(tmp_path, "validation", STEPS)
    assert len(answers) == 2 * ROWS * ANSWERS
    assert f"val-core/geometry3k/acc/mean@{ANSWERS}" in steps[-1]
    for step in range(1, STEPS + 1):
        rollouts = rows_of(tmp_path, "rollouts", step)
        answers += rollouts
        assert len(rollouts) == PROMPTS * GROUP
        assert {row["gts"][0] if isinstance(row["gts"], list) else row["gts"] for row in rollouts} <= set("123")
        assert sum(r"\boxed{" in row["output"] for row in rollouts) > len(rollouts) / 2
    # A model that does not see the colours guesses: right once in three. This one is right every other time, and of so
    # many answers the share is within 0.1 of that.
    assert sum(answer["acc"] for answer in answers) / len(answers) > 0.4


def rows_of(folder, kind, step):
    return [json.loads(line) for line in (folder / "run" / kind / f"{step}.jsonl").read_text().splitlines()]
