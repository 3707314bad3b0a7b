"""What would fail later is found before Ray starts: one sentence each, all at once, with what to write instead."""

import pytest
from omegaconf import OmegaConf, open_dict

from gmpo_verl.config.compose import compose, group_options
from gmpo_verl.trainer.preflight import check, describe, devices, resources

ACTOR, REF = "actor_rollout_ref.actor", "actor_rollout_ref.ref"
ROLLOUT, MODEL = "actor_rollout_ref.rollout", "actor_rollout_ref.model"
LOSS, CORRECTION = f"{ACTOR}.policy_loss", "algorithm.rollout_correction"

pytestmark = pytest.mark.usefixtures("roomy")


@pytest.fixture
def changed(composed, tmp_path):
    """A copy of the default configuration with some values replaced, in a run directory of its own."""

    def change(**values):
        config = composed.copy()
        config.run_dir = str(tmp_path / "run")
        with open_dict(config):
            for key, value in values.items():
                OmegaConf.update(config, key, value, force_add=True)
        return config

    return change


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        *([f"algorithm={name}"] for name in group_options("algorithm")),
        ["trainer.kl_to_ref=true"],
        ["algorithm.rollout_correction.rollout_is=token", "algorithm.rollout_correction.rollout_rs=seq_mean_k1"],
        ["trainer.n_gpus_per_node=2"],
        [f"{ACTOR}.use_kl_loss=True"],
        [f"{ACTOR}.policy_loss.loss_mode=geo_mean"],
        ["trainer.total_training_steps=3", "trainer.save_freq=1"],
    ],
)
def test_what_runs_has_no_findings(arguments, tmp_path):
    config = compose([*arguments, f"run_dir={tmp_path / 'run'}"])
    assert check(config) == []
    assert not (tmp_path / "run").exists()


# (values, what the one sentence contains: the option, and what to write instead)
WRONG = {
    "seed": ({"seed": -1}, "seed=-1", "from 0 to"),
    "dry run": ({"dry_run": "maybe"}, "dry_run=maybe", "dry_run=true"),
    "restarts": ({"trainer.max_restarts": 3}, "trainer.max_restarts=3", "trainer.max_restarts=0"),
    "loss": ({f"{ACTOR}.policy_loss.loss_mode": "gmop"}, "loss_mode=gmop", "did you mean gmpo"),
    "estimator": ({"algorithm.adv_estimator": "grp"}, "algorithm.adv_estimator=grp", "grpo"),
    "trainer mode": ({"trainer.v1.trainer_mode": "synk"}, "trainer.v1.trainer_mode=synk", "sync"),
    "rollout": ({f"{ROLLOUT}.name": "vlm"}, f"{ROLLOUT}.name=vlm", "vllm"),
    "rollout not installed": ({f"{ROLLOUT}.name": "sglang"}, "needs the package sglang", f"{ROLLOUT}.name=vllm"),
    "rollout mode": ({f"{ROLLOUT}.mode": "sync"}, f"{ROLLOUT}.mode=sync", "async"),
    "logger": ({"trainer.logger": ["console", "wandbb"]}, "trainer.logger=wandbb", "wandb"),
    "loss mean": ({f"{ACTOR}.loss_agg_mode": "tokens-mean"}, "loss_agg_mode=tokens-mean", "token-mean"),
    "resume mode": ({"trainer.resume_mode": "autoo"}, "trainer.resume_mode=autoo", "auto"),
    "reward module": (
        {"reward.custom_reward_function.path": "pkg://gmpo_verl.rewards.nowhere"},
        "reward.custom_reward_function.path=pkg://gmpo_verl.rewards.nowhere",
        "write pkg://",
    ),
    "reward function": (
        {"reward.custom_reward_function.name": "compute_scores"},
        "does not define compute_scores",
        "did you mean compute_score?",
    ),
    "reward manager": (
        {"reward.reward_manager.name": "GMPOManager"},
        "does not define GMPOManager",
        "GMPORewardManager",
    ),
    "closed dataclass": ({f"{ACTOR}.optim.lrr": 1}, f"{ACTOR}.optim.lrr is not an option", f"{ACTOR}.optim.lr?"),
    "type": ({"trainer.val_before_train": "yes"}, "trainer.val_before_train=yes", "write true or false"),
    "number": ({f"{ACTOR}.optim.lr": "small"}, f"{ACTOR}.optim.lr=small", "write a number"),
    "count": ({"data.train_batch_size": 0}, "data.train_batch_size=0", "at least 1"),
    "steps": ({"trainer.total_training_steps": 0}, "trainer.total_training_steps=0", "at least 1"),
    "model": ({f"{MODEL}.path": "/nowhere/model"}, f"{MODEL}.path=/nowhere/model", "does not exist"),
    "embedded model": ({f"{MODEL}.path": "embedded://algebra"}, "embedded://algebra", "embedded://arithmetic"),
    "embedded swap": (
        {"data.train_files": "embedded://arithmetic/validation"},
        "data.train_files=embedded://arithmetic/validation",
        "data.train_files=embedded://arithmetic/train",
    ),
    "embedded task": ({"arithmetic.digits": 0}, "arithmetic.digits=0", "choose a value from 1"),
    "embedded option": ({"arithmetic.digit": 2}, "arithmetic.digit is not an option", "digits"),
    "training file": ({"data.train_files": "/nowhere/train.parquet"}, "data.train_files=/nowhere", "does not exist"),
    "validation file": ({"data.val_files": None}, "data.val_files is not set", "write a parquet file"),
    "mini-batch": ({f"{ACTOR}.ppo_mini_batch_size": 12}, "not a multiple", f"{ACTOR}.ppo_mini_batch_size=8 or 16"),
    "mini-batch size": ({f"{ACTOR}.ppo_mini_batch_size": 64}, f"{ACTOR}.ppo_mini_batch_size=64", "at most 32"),
    "tensor parallel": (
        {f"{ROLLOUT}.tensor_model_parallel_size": 2},
        f"{ROLLOUT}.tensor_model_parallel_size=2",
        "write 1",
    ),
    "group": ({f"{ROLLOUT}.n": 1}, f"{ROLLOUT}.n=1", f"write {ROLLOUT}.n=8"),
    "gae": ({"algorithm.adv_estimator": "gae"}, "adv_estimator=gae varies", "algorithm.adv_estimator=gmpo"),
    "dual clip": ({f"{ACTOR}.clip_ratio_c": 10.0}, f"{ACTOR}.clip_ratio_c=10.0", f"{ACTOR}.clip_ratio_c=3.0"),
    "mean of the loss": (
        {f"{ACTOR}.loss_agg_mode": "token-mean"},
        f"{ACTOR}.loss_agg_mode=token-mean contradicts",
        f"{ACTOR}.loss_agg_mode=seq-mean-token-mean",
    ),
    "void clip": ({f"{ACTOR}.clip_ratio": 0.2}, f"{ACTOR}.clip_ratio=0.2", "clip_ratio_low"),
    "negative clip": ({f"{ACTOR}.clip_ratio_low": -0.4}, "clip_ratio_low=-0.4", "LOG space"),
    "clip level": ({f"{LOSS}.clip_level": "tokens"}, "clip_level=tokens", "did you mean token"),
    "length norm": ({f"{LOSS}.length_norm": "yes"}, "length_norm=yes", "true or false"),
    "sequence clip": (
        {f"{LOSS}.clip_level": "sequence", f"{LOSS}.mean_exponent": 1.0},
        "clip_level=sequence",
        f"{LOSS}.clip_level=token",
    ),
    "clip of nothing": (
        {f"{LOSS}.clip_level": "none", f"{ACTOR}.clip_ratio_low": None},
        f"{ACTOR}.clip_ratio_high=0.4",
        f"{ACTOR}.clip_ratio_high=null",
    ),
    "sum over tokens": (
        {f"{ACTOR}.loss_agg_mode": "seq-mean-token-sum-norm"},
        "loss_agg_mode=seq-mean-token-sum-norm",
        "algorithm=dr_grpo",
    ),
    "sum without its length": (
        {f"{ACTOR}.loss_agg_mode": "seq-mean-token-sum-norm", f"{LOSS}.mean_exponent": 1},
        "loss_scale_factor=None",
        "${data.max_response_length}",
    ),
    "void length": ({f"{ACTOR}.loss_scale_factor": 8}, "loss_scale_factor=8", "loss_scale_factor=null"),
    "annealing to nowhere": ({f"{LOSS}.mean_exponent_end": 1.0}, "mean_exponent_end", "mean_exponent_rounds"),
    "annealing elsewhere": (
        {
            f"{LOSS}.mean_exponent_end": 1.0,
            f"{LOSS}.mean_exponent_rounds": 5,
            "trainer.v1.trainer_mode": "colocate_async",
        },
        f"{LOSS}.mean_exponent_end=1.0",
        "trainer.v1.trainer_mode=gmpo",
    ),
    "options of another loss": (
        {f"{LOSS}.loss_mode": "vanilla", f"{LOSS}.clip_level": "none"},
        f"{LOSS}.clip_level=none has no effect",
        f"{LOSS}.loss_mode=gmpo",
    ),
    "KL to the reference": ({"trainer.kl_to_ref": "yes"}, "trainer.kl_to_ref=yes", "true, false"),
    "pruning": ({"trainer.prune_zero_advantage": "always"}, "prune_zero_advantage=always", "auto"),
    "inexact pruning": (
        {"trainer.prune_zero_advantage": True, f"{ACTOR}.use_kl_loss": True},
        f"prune_zero_advantage=true would change the update, because of {ACTOR}.use_kl_loss",
        "trainer.prune_zero_advantage=auto",
    ),
    "unmeasured KL": (
        {"trainer.kl_to_ref": True, "trainer.v1.trainer_mode": "colocate_async"},
        "trainer.kl_to_ref=true",
        "trainer.kl_to_ref=false",
    ),
    "correction without log-probabilities": (
        {f"{CORRECTION}.rollout_is": "token", f"{ROLLOUT}.calculate_log_probs": False},
        f"{CORRECTION}.rollout_is=token",
        f"{ROLLOUT}.calculate_log_probs=true",
    ),
    "void correction": (
        {f"{CORRECTION}.rollout_is": "token", f"{CORRECTION}.bypass_mode": True},
        f"{CORRECTION}.rollout_is=token has no effect",
        f"{CORRECTION}.bypass_mode=false",
    ),
    "void loss type": (
        {f"{CORRECTION}.loss_type": "reinforce"},
        f"{CORRECTION}.loss_type=reinforce",
        f"{CORRECTION}.loss_type=ppo_clip",
    ),
    "void KL": ({f"{ACTOR}.kl_loss_coef": 0.01}, f"{ACTOR}.kl_loss_coef=0.01", f"{ACTOR}.use_kl_loss=true"),
    "critic warm-up": ({"trainer.critic_warmup": 5}, "trainer.critic_warmup=5", "trainer.critic_warmup=0"),
    "temperature": ({f"{ROLLOUT}.temperature": 0}, f"{ROLLOUT}.temperature=0", f"{ROLLOUT}.temperature=1.0"),
    "greedy": ({f"{ROLLOUT}.val_kwargs.do_sample": False}, "repeats one greedy response", "do_sample=true"),
    "learning rate": ({f"{ACTOR}.optim.lr": 0.0}, f"{ACTOR}.optim.lr=0.0", "above 0"),
    "sleep mode": ({f"{ROLLOUT}.enable_sleep_mode": True}, "enable_sleep_mode=true", "enable_sleep_mode=false"),
    "cache engine": ({f"{ROLLOUT}.free_cache_engine": True}, "free_cache_engine=true", "free_cache_engine=false"),
    "FSDP1": ({f"{ACTOR}.strategy": "fsdp"}, f"{ACTOR}.strategy=fsdp needs a GPU", f"{ACTOR}.strategy=fsdp2"),
    "fp16": ({f"{ROLLOUT}.dtype": "float16"}, f"{ROLLOUT}.dtype=float16", f"{ROLLOUT}.dtype=float32"),
    "engine": ({f"{MODEL}.external_lib": None}, f"{MODEL}.external_lib=None", "gmpo_verl.worker"),
    "flash": (
        {f"{MODEL}.override_config.attn_implementation": "flash_attention_2"},
        "attn_implementation=flash_attention_2",
        "attn_implementation=sdpa",
    ),
    "CPUs": ({"ray_kwargs.ray_init.num_cpus": 2}, "ray_kwargs.ray_init.num_cpus=2", "num_cpus=4"),
    "logical GPUs": ({"ray_kwargs.ray_init.num_gpus": 0}, "ray_kwargs.ray_init.num_gpus=0", "num_gpus=1"),
    "nodes": ({"trainer.nnodes": 2}, "trainer.nnodes=2", "address=HEAD:PORT"),
    "save": ({"trainer.save_freq": 0}, "trainer.save_freq=0", "or -1 for never"),
    "validate": ({"trainer.test_freq": 0}, "trainer.test_freq=0", "or -1 for never"),
    "validation alone": ({"trainer.val_only": True}, "trainer.val_only=true", "trainer.val_only=false"),
    "resume path": ({"trainer.resume_mode": "resume_path"}, "trainer.resume_from_path", "trainer.resume_mode=auto"),
    "void resume path": ({"trainer.resume_from_path": "x"}, "has no effect", "trainer.resume_mode=resume_path"),
    "epochs": ({"trainer.total_training_steps": 9000}, "trainer.total_training_steps=9000", "trainer.total_epochs=37"),
    "max_model_len": ({f"{ROLLOUT}.max_model_len": 20}, f"{ROLLOUT}.max_model_len=20", f"{ROLLOUT}.max_model_len=40"),
    "context": ({"data.max_response_length": 4096}, "the model's context is 2048", "max_response_length=2016"),
    "short answers": ({"data.max_response_length": 3}, "data.max_response_length=3", "data.max_response_length=6"),
    "short prompts": ({"data.max_prompt_length": 5}, "data.max_prompt_length=5", "data.max_prompt_length=6"),
    "filter": ({"algorithm.filter_groups.enable": True}, "filter_groups.enable=true", "custom_sampler.path=null"),
    "old trainer": ({"trainer.use_v1": False}, "trainer.use_v1=false", "trainer.use_v1=true"),
    "folder": ({"trainer.default_local_dir": f"{__file__}/x"}, "trainer.default_local_dir=", "cannot be written"),
}


@pytest.mark.parametrize("graders", ["0", "two", "-1"])
def test_an_impossible_number_of_grading_processes_is_named(changed, monkeypatch, graders):
    monkeypatch.setenv("GMPO_GRADERS", graders)
    assert [finding for finding in check(changed()) if finding.startswith(f"GMPO_GRADERS={graders} ")]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_one_sentence_that_names_it_and_the_remedy(case, changed):
    values, names, remedy = WRONG[case]
    findings = check(changed(**values))
    fitting = [finding for finding in findings if names in finding]
    assert len(fitting) == 1, findings
    assert remedy in fitting[0]
    assert "\n" not in fitting[0]


def test_all_findings_arrive_at_once(changed):
    findings = check(
        changed(
            **{
                "seed": -1,
                "data.train_batch_size": "many",
                "trainer.save_freq": 0,
                "data.train_files": "/nowhere/train.parquet",
                f"{MODEL}.path": "/nowhere/model",
                f"{ACTOR}.policy_loss.loss_mode": "gmop",
                f"{ROLLOUT}.n": 1,
            }
        )
    )
    for name in (
        "seed=-1",
        "train_batch_size=many",
        "save_freq=0",
        "train_files=",
        "model.path=",
        "gmop",
        f"{ROLLOUT}.n=1",
    ):
        assert sum(name in finding for finding in findings) == 1, (name, findings)


def test_both_uses_of_the_kl_contradict(changed):
    findings = check(changed(**{"algorithm.use_kl_in_reward": True, f"{ACTOR}.use_kl_loss": True}))
    assert any("count the KL twice" in finding for finding in findings)


def test_micro_batches_of_fixed_size_have_to_divide_what_a_rank_gets(changed):
    fixed = {
        f"{ACTOR}.use_dynamic_bsz": False,
        f"{ACTOR}.ppo_micro_batch_size_per_gpu": 64,
        f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": 64,
        f"{REF}.log_prob_micro_batch_size_per_gpu": 64,
    }
    assert check(changed(**fixed)) == []
    (finding,) = check(changed(**fixed, **{"trainer.n_gpus_per_node": 2}))
    assert f"{ACTOR}.ppo_micro_batch_size_per_gpu=64" in finding
    assert "32 responses" in finding and "ppo_micro_batch_size_per_gpu=32" in finding
    (finding,) = check(changed(**{**fixed, f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": None}))
    assert f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu is not set" in finding


def test_a_token_budget_has_to_hold_one_sequence(changed):
    findings = check(changed(**{f"{ACTOR}.use_dynamic_bsz": True, f"{ACTOR}.ppo_max_token_len_per_gpu": 30}))
    assert any("ppo_max_token_len_per_gpu=40 or more" in finding for finding in findings)


def test_a_round_has_to_be_dealt_out_to_the_ranks(changed):
    findings = check(changed(**{"trainer.n_gpus_per_node": 3, f"{ROLLOUT}.n": 4}))
    assert any("data.train_batch_size=32" in finding and "multiple of 3" in finding for finding in findings)


def test_hardware_gpu_without_a_gpu_names_hardware_cpu(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    findings = check(compose(["hardware=gpu", f"run_dir={tmp_path / 'run'}"]))
    assert any("hardware=cpu" in finding for finding in findings)


def test_more_gpus_than_there_are_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "gpu_count", lambda: 4)
    config = compose(["hardware=gpu", "trainer.n_gpus_per_node=8", f"run_dir={tmp_path / 'run'}"])
    assert any("trainer.n_gpus_per_node=4" in finding for finding in check(config))


def test_too_little_memory_is_found_before_it_runs_out(changed, monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda: 6e9)
    assert check(changed()) == []
    (finding,) = check(changed(**{"trainer.n_gpus_per_node": 2}))
    assert "6.0 GB is free" in finding and "trainer.n_gpus_per_node=1" in finding


def test_too_little_disk_is_found(changed, monkeypatch):
    monkeypatch.setattr(resources, "free_disk", lambda folder: 1e8)
    findings = check(changed())
    assert [finding.partition("=")[0] for finding in findings] == ["run_dir", "TMPDIR"]


def test_a_deleted_option_is_named():
    (finding,) = check(compose(["~trainer.save_freq"]))
    assert "trainer.save_freq was deleted" in finding


def test_verl_is_asked_last(changed, monkeypatch):
    config = changed(**{f"{ACTOR}.optim.lr_scheduler_type": "wavy"})
    (finding,) = check(config)
    assert finding.startswith("verl refuses actor_rollout_ref.actor")


def test_a_dry_run_tells_what_would_happen(changed):
    report = describe(changed())
    assert "32 prompts x 8 responses = 256 responses" in report
    assert "4 steps a round of 64 responses" in report
    assert "70 rounds, 280 optimizer steps" in report
    assert "a new run in" in report
