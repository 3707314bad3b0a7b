"""The design: every run is one that would start, none is trained twice."""

import pytest
from design import read_design

from gmpo_verl.config.compose import compose
from gmpo_verl.trainer.preflight import check, devices, resources

DESIGN = read_design()


@pytest.mark.parametrize("arm", DESIGN.overrides)
def test_every_arm_is_a_configuration_without_a_mistake(arm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resources, "free_memory", lambda: 64e9)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    assert check(compose([*DESIGN.overrides[arm], "seed=4", "run_dir=run"])) == []


def test_no_two_arms_are_the_same():
    assert len(set(DESIGN.overrides.values())) == len(DESIGN.overrides)


def test_the_core_study_is_gmpo_and_grpo_with_five_seeds():
    runs = DESIGN.runs(DESIGN.of_size("core"))
    assert [run.name for run in runs[:3]] == ["gmpo-seed0", "grpo-seed0", "gmpo-seed1"]
    assert len(runs) == 10


def test_a_run_that_several_studies_share_is_trained_once():
    runs = DESIGN.runs(DESIGN.of_size("full"))
    assert len({run.name for run in runs}) == len(runs)
    family, exponents = DESIGN.studies["family"], DESIGN.studies["exponents"]
    assert len(DESIGN.runs([family, exponents])) == 5 * 7 + 3 * 6


def test_the_exponents_are_those_of_the_study_in_their_order():
    found = [
        compose([*DESIGN.overrides[arm], "seed=0"]).actor_rollout_ref.actor.policy_loss
        for arm in ("power-2", "power-1", "power-0.5", "gmpo", "power-minus-0.5", "hmpo", "power-minus-2")
    ]
    assert [loss.mean_exponent for loss in found] == [2, 1, 0.5, 0, -0.5, -1, -2]


@pytest.mark.parametrize(("name", "factor"), [("lr3", 3), ("lr10", 10)])
def test_the_raised_rates_are_multiples_of_the_usual_one(name, factor):
    for algorithm in ("gmpo", "grpo"):
        usual, raised = (
            compose([*DESIGN.overrides[arm], "seed=0"]).actor_rollout_ref.actor.optim.lr
            for arm in (algorithm, f"{algorithm}-{name}")
        )
        assert raised == pytest.approx(factor * usual)


def test_a_study_of_an_unknown_arm_is_refused(tmp_path):
    path = tmp_path / "studies.yaml"
    path.write_text("{metrics: [], recipes: {}, arms: {}, studies: {a: {seeds: 1, arms: [b]}}, sizes: {}}")
    with pytest.raises(ValueError, match="there is no arm b"):
        read_design(path)
