"""The command line becomes a configuration, or one sentence."""

from pathlib import Path

import pytest

from gmpo_verl.config.compose import CONFIG_DIR, compose, group_options, prints_only, run_hydra_flags
from gmpo_verl.errors import UserError


@pytest.fixture(scope="module")
def base():
    return compose([])


def refusal(*arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        compose(list(arguments))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_embedded_job_is_the_default(base):
    assert base.actor_rollout_ref.model.path == "embedded://arithmetic"
    assert base.trainer.device == "cpu"
    assert base.actor_rollout_ref.actor.policy_loss.loss_mode == "gmpo"
    assert base.algorithm.adv_estimator == "gmpo"


def test_the_run_directory_is_absolute_and_follows_the_choices():
    config = compose(["algorithm=grpo", "seed=3"])
    assert config.run_dir == str(Path("outputs/arithmetic/grpo-seed3").absolute())
    assert config.trainer.default_local_dir == f"{config.run_dir}/checkpoints"


def test_no_hydra_interpolation_and_no_hydra_node_is_left(base):
    from omegaconf import OmegaConf

    assert "hydra" not in base
    assert "${hydra:" not in OmegaConf.to_yaml(base)


def test_verl_overrides_win_over_ours():
    config = compose(
        [
            "actor_rollout_ref.actor.policy_loss.loss_mode=geo_mean",
            "trainer.n_gpus_per_node=2",
            "data.train_batch_size=16",
            "+trainer.wandb_proxy=none",
        ]
    )
    assert config.actor_rollout_ref.actor.policy_loss.loss_mode == "geo_mean"
    assert config.trainer.n_gpus_per_node == 2
    assert config.data.train_batch_size == 16
    assert config.trainer.wandb_proxy == "none"


def test_the_gpu_hardware_changes_the_device():
    assert compose(["hardware=gpu"]).trainer.device == "cuda"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("algorithm=gmop", "did you mean gmpo?"),
        ("recipe=aritmetic", "did you mean arithmetic or arithmetic_steps?"),
        ("hardware=cppu", "cpu"),
        ("actor_rollout_ref.actor.optim.lrr=1", "did you mean actor_rollout_ref.actor.optim.lr?"),
        ("optim.lr=1", "actor_rollout_ref.actor.optim.lr"),
        ("loss_mode=gmpo", "actor_rollout_ref.actor.policy_loss.loss_mode"),
        ("seeed=1", "did you mean seed?"),
        ("trainer.total_training_step=3", "did you mean trainer.total_training_steps?"),
        ("trainer.nnodes.x=1", "did you mean trainer.nnodes?"),
        ("~seedd", "did you mean seed?"),
        ("hydra.run.dirr=x", "did you mean hydra.run.dir?"),
        ("model_engine=megatronn", "did you mean megatron?"),
        ("gmpo", "algorithm=gmpo"),
        ("actor_rollout_ref.model.override_config.foo=1", "write +actor_rollout_ref.model.override_config.foo=1"),
        ("+seed=1", "write seed=VALUE"),
        ("seed=", "has no value"),
        ("seed=???", "write seed=VALUE"),
        ("seed=1,2", "start one run a value"),
        ("seed=[1", "quotes"),
        ("run_dir=a=b", "\"run_dir='a=b'\""),
        ("trainer.device=${trainer.nope}", "trainer.nope"),
        ("hydra.searchpath=[x]", "--config-dir"),
    ],
)
def test_a_wrong_argument_is_one_sentence_with_what_to_write(argument, expected):
    message = refusal(argument)
    assert expected in message
    assert argument.lstrip("+~").partition("=")[0] in message


@pytest.mark.parametrize("value", ["rollout_correction", "null", "[gmpo,grpo]"])
def test_only_our_algorithms_can_be_chosen(value):
    message = refusal(f"algorithm={value}")
    assert "gmpo" in message and "grpo" in message
    assert "rollout_correction" not in message.replace(f"algorithm={value}", "")


def test_our_groups_list_our_files_only():
    assert "gmpo" in group_options("algorithm")
    assert "rollout_correction" not in group_options("algorithm")
    assert set(group_options("hardware")) == {"cpu", "gpu"}
    assert group_options("recipe") == sorted(path.stem for path in (CONFIG_DIR / "recipe").glob("*.yaml"))


def test_a_folder_of_the_user_adds_a_recipe(tmp_path):
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [arithmetic]\ntrainer:\n  total_training_steps: 7\n"
    )
    config = compose([f"--config-dir={tmp_path}", "recipe=mine"])
    assert config.trainer.total_training_steps == 7
    assert config.run_dir.endswith("outputs/mine/gmpo-seed0")
    assert "countdown, mine" in refusal("--config-dir", str(tmp_path), "recipe=zzz")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-m", "seed=1"], "start one command a run"),
        (["--multirun"], "start one command a run"),
        (["--cgf", "job"], "did you mean --cfg?"),
        (["--cfg", "jobb"], "--cfg=job"),
        (["--cfg"], "write --cfg=job"),
        (["--resolve"], "add --cfg=job"),
        (["--cfg=job", "--info"], "leave out all but one"),
        (["--config-name", "x"], "--config-dir"),
        (["--config-dir", "/nonexistent"], "not a folder"),
    ],
)
def test_a_wrong_flag_is_one_sentence(arguments, expected):
    assert expected in refusal(*arguments)


def test_flags_are_told_apart_from_training():
    assert prints_only(["--cfg", "job", "seed=1"])
    assert prints_only(["-h"])
    assert not prints_only(["algorithm=gmpo", "trainer.save_freq=-1"])


def test_hydra_prints_the_resolved_configuration_and_leaves_no_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run_hydra_flags(["--cfg", "job", "--resolve", "seed=5"])
    printed = capsys.readouterr().out
    assert "data_loader_seed: 5" in printed
    assert "outputs/arithmetic/gmpo-seed5" in printed
    assert list(tmp_path.iterdir()) == []


def test_help_lists_our_groups_and_not_verls(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run_hydra_flags(["--help"])
    assert ended.value.code in (0, None)
    listed = capsys.readouterr().out.split("== Configuration ==")[0]
    assert "algorithm: gmpo" in listed or "gmpo" in listed
    assert "rollout_correction" not in listed
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_name_beside_a_flag_is_still_our_sentence():
    with pytest.raises(UserError, match=r"did you mean gmpo\?"):
        run_hydra_flags(["--cfg", "job", "algorithm=gmop"])
