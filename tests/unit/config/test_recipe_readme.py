"""The recipes' page shows what the commands print."""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from gmpo_verl.config.compose import CONFIG_DIR, compose, group_options
from gmpo_verl.trainer.preflight import check, describe, devices, model

PAGE = (CONFIG_DIR / "recipe" / "README.md").read_text(encoding="utf-8")
FOLDER = "/home/you/gmpo"  # where the page's commands were run
SHOWN = dict(
    re.findall(r"```\n\$ python -m gmpo_verl\.main_ppo recipe=(\w+) dry_run=true\n(.*?)\n```", PAGE, re.DOTALL)
)
NODES = re.findall(r"^\| (\d+) \| (\d+) \| (\d+), (\d+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on a machine with no model, no GPU and no qwen-vl-utils."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    monkeypatch.setattr(model, "hub_file", lambda name, file: None)
    monkeypatch.setattr(model, "can_read_images", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return tmp_path


def test_every_recipe_of_a_real_model_shows_its_dry_run():
    assert sorted(["arithmetic", "arithmetic_steps", "countdown", *SHOWN]) == group_options("recipe")


@pytest.mark.parametrize("name", SHOWN)
def test_a_shown_dry_run_is_what_the_command_prints(name, elsewhere):
    config = compose([f"recipe={name}", "dry_run=true"])
    assert check(config) == []
    assert describe(config).replace(str(elsewhere), FOLDER) == SHOWN[name]


@pytest.mark.parametrize("row", NODES)
def test_the_table_of_nodes_is_what_the_dry_runs_say(row, elsewhere):
    nodes, gpus, a_round, a_step, update, rollout = row
    config = compose(["recipe=qwen2_5_math_7b", f"trainer.nnodes={nodes}", "dry_run=true"])
    assert check(config) == []
    report = describe(config)
    assert f"\nworkers          {gpus} on cuda" in report
    assert f"{a_round} responses a round, {a_step} a step" in report
    assert f"update         {update} GB" in report and f"rollout        {rollout} GB" in report


def test_the_nodes_of_the_table_are_1_2_and_8():
    assert [row[0] for row in NODES] == ["1", "2", "8"]


def test_the_options_that_the_page_names_exist():
    config = compose(["recipe=qwen2_5_math_7b"])
    for option in re.findall(r"`((?:trainer|actor_rollout_ref|algorithm)\.[\w.]+)=", PAGE):
        assert OmegaConf.select(config, option, default="missing") != "missing", option
