"""Seeds of one configuration are one group; everything else that differs makes another, and is listed."""

import copy
from typing import Any

import pytest
from runs_on_disk import CONFIG, run_of

from gmpo_verl.reporting.groups import ABSENT, config_differences, group_runs
from gmpo_verl.reporting.naming import algorithm_of


def config_with(changes: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        *parents, last = key.split(".")
        node = config
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return config


LOSS = "actor_rollout_ref.actor.policy_loss"


def test_runs_that_differ_in_seed_name_and_place_alone_are_one_group() -> None:
    runs = [
        run_of(f"run{seed}", config_with({"seed": seed, "run_dir": f"RUN{seed}", "data.seed": seed} | names))
        for seed, names in enumerate([{}, {"trainer.experiment_name": "b", "data.data_loader_seed": 3}])
    ]
    runs[0].config["data"]["path"], runs[1].config["data"]["path"] = "RUN0/x", "RUN1/x"
    groups = group_runs(runs)
    assert [[run.name for run in group.runs] for group in groups] == [["run0", "run1"]]
    assert config_differences(groups) == []


def test_another_value_makes_another_group_and_is_listed_with_both_values() -> None:
    other = config_with({f"{LOSS}.mean_exponent": 1.0, "trainer.extra": "x"})
    groups = group_runs([run_of("a", CONFIG), run_of("b", other)])
    assert [group.label for group in groups] == ["gmpo", "grpo_wide_clip"]
    found = {difference.key: difference.values for difference in config_differences(groups)}
    assert found == {f"{LOSS}.mean_exponent": ("0.0", "1.0"), "trainer.extra": (ABSENT, "x")}


def test_runs_without_a_configuration_stand_alone_under_their_own_names() -> None:
    groups = group_runs([run_of("a"), run_of("b"), run_of("c", CONFIG)])
    assert [group.label for group in groups] == ["a", "b", "gmpo"]
    assert config_differences(groups) == []


def test_configurations_of_one_algorithm_are_named_by_what_differs() -> None:
    runs = [
        run_of(name, config_with({"actor_rollout_ref.actor.optim.lr": lr})) for name, lr in (("a", 1e-6), ("b", 2e-6))
    ]
    assert [group.label for group in group_runs(runs)] == ["gmpo, lr 1e-06", "gmpo, lr 2e-06"]
    runs = [run_of(name, config_with({"data.unusual": name})) for name in ("a", "b")]
    assert [group.label for group in group_runs(runs)] == ["gmpo", "gmpo (b)"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "gmpo"),
        ({f"{LOSS}.clip_level": "sequence"}, "gmpo_seq_clip"),
        ({f"{LOSS}.clip_level": "none"}, "gmpo_no_clip"),
        ({f"{LOSS}.length_norm": False}, "gmpo_no_length_norm"),
        ({f"{LOSS}.mean_exponent": -1.0}, "hmpo"),
        ({f"{LOSS}.mean_exponent": 2.0, f"{LOSS}.mean_exponent_end": -2.0}, "power_mean"),
        ({f"{LOSS}.mean_exponent": 1.0, "actor_rollout_ref.actor.clip_ratio_low": 0.223}, "grpo"),
        ({f"{LOSS}.mean_exponent": 1.0, "algorithm.norm_adv_by_std_in_grpo": False}, "dr_grpo"),
        ({f"{LOSS}.loss_mode": "gspo"}, "gspo"),
        ({f"{LOSS}.loss_mode": "vanilla", "algorithm.adv_estimator": "grpo"}, "grpo"),
    ],
)
def test_an_algorithm_is_told_by_the_options_of_its_loss(changes: dict[str, Any], name: str) -> None:
    assert algorithm_of(run_of("a", config_with(changes))) == name
