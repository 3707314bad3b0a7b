"""Our own options, validated."""

import pickle
import re

import pytest

from gmpo_verl.config.schema import GMPOPolicyLossConfig, RunOptions, check_family_options
from gmpo_verl.errors import UserError


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "one", True, None])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(UserError, match="seed="):
        RunOptions(run_dir="x", seed=seed)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"run_dir": ""}, "run_dir=outputs/NAME"),
        ({"run_dir": "x", "dry_run": "yes"}, "dry_run=true"),
        ({"run_dir": "x", "max_restarts": -1}, "trainer.max_restarts=-1"),
    ],
)
def test_an_impossible_option_says_what_to_write(options, names):
    with pytest.raises(UserError, match=names):
        RunOptions(**options)


@pytest.mark.parametrize("exponent", [0, 0.0, 1.0, -1.0, 0.5])
def test_the_family_takes_every_finite_exponent(exponent):
    assert check_family_options(exponent, "token", True) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((float("nan"), "tokens", "yes"), ["mean_exponent", "clip_level", "length_norm"]),
        ((1.0, "sequence", False), ["clip_level", "length_norm"]),
        ((0.0, "sequence", True, -2.0, 5), ["clip_level"]),
        ((2.0, "token", True, -2.0, None), ["mean_exponent_end"]),
        ((2.0, "token", True, None, 5), ["mean_exponent_rounds"]),
        ((2.0, "token", True, -2.0, 1), ["mean_exponent_rounds"]),
        ((2.0, "token", True, "low", 5), ["mean_exponent_end"]),
    ],
)
def test_every_impossible_option_of_the_family_is_named(options, named):
    findings = check_family_options(*options)
    assert [re.split("[= ]", finding)[0].rpartition(".")[2] for finding in findings] == named


@pytest.mark.parametrize(
    "options", [(0, "sequence", False), (0.0, "none", True), (1.0, "none", True), (2.0, "token", True, -2.0, 40)]
)
def test_the_family_takes_what_its_members_need(options):
    assert check_family_options(*options) == []


def test_the_loss_options_are_a_policy_loss_config_that_survives_pickling():
    from verl.workers.config import PolicyLossConfig

    config = GMPOPolicyLossConfig(loss_mode="gmpo", mean_exponent=1.0)
    assert isinstance(config, PolicyLossConfig)
    assert pickle.loads(pickle.dumps(config)) == config
    assert (GMPOPolicyLossConfig().mean_exponent, GMPOPolicyLossConfig().length_norm) == (0.0, True)
    with pytest.raises(UserError, match="clip_level=token"):
        GMPOPolicyLossConfig(clip_level="sequence", mean_exponent=1.0)
