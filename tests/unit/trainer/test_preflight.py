"""What would fail later is found before Ray starts: one sentence each, all at once, with what to write instead."""

import pytest
from omegaconf import OmegaConf, open_dict
from wrong_values import ACTOR, MODEL, REF, ROLLOUT, SEPARATE, WRONG

from gmpo_verl.config.compose import compose, group_options
from gmpo_verl.trainer.checkpoints.markers import mark_complete
from gmpo_verl.trainer.preflight import check, checkpoints, describe, devices, resources
from gmpo_verl.trainer.run_dir import open_run_dir

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
        ["trainer.v1.trainer_mode=sync"],
        ["trainer.v1.sampler.custom_sampler=null"],
        ["trainer.v1.trainer_mode=colocate_async", "trainer.kl_to_ref=true", "algorithm=power_mean"],
        [f"{key}={value}" for key, value in SEPARATE.items()],
        [f"{ACTOR}.use_kl_loss=True"],
        [f"{ACTOR}.policy_loss.loss_mode=geo_mean"],
        ["trainer.total_training_steps=3", "trainer.save_freq=1"],
    ],
)
def test_what_runs_has_no_findings(arguments, tmp_path):
    config = compose([*arguments, f"run_dir={tmp_path / 'run'}"])
    assert check(config) == []
    assert not (tmp_path / "run").exists()


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


def test_rollouts_of_their_own_need_gpus_of_their_own(changed, monkeypatch):
    monkeypatch.setattr(devices, "gpu_count", lambda: 4)
    values = SEPARATE | {"trainer.device": "cuda", "trainer.n_gpus_per_node": 2, f"{ROLLOUT}.n_gpus_per_node": 2}
    on_four = values | {f"{ROLLOUT}.checkpoint_engine.backend": "nccl", "ray_kwargs.ray_init.num_gpus": None}
    assert not [finding for finding in check(changed(**on_four)) if "GPU" in finding]
    findings = check(changed(**(on_four | {f"{ROLLOUT}.n_gpus_per_node": 3})))
    assert any("trainer.n_gpus_per_node=2 and 3 for rollouts" in finding for finding in findings)


def test_rollouts_of_their_own_arrive_a_mini_batch_at_a_time(changed):
    fixed = SEPARATE | {
        f"{ACTOR}.use_dynamic_bsz": False,
        f"{ACTOR}.ppo_micro_batch_size_per_gpu": 64,
        f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": 128,
    }
    (finding,) = check(changed(**fixed))
    assert f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu=128 does not divide the 64 responses" in finding


@pytest.mark.parametrize("forks, free", [("auto", 3.5), (False, 6.0)])
def test_too_little_memory_is_found_before_it_runs_out(changed, monkeypatch, forks, free):
    monkeypatch.setattr(resources, "free_memory", lambda: free * 1e9)
    assert check(changed(**{"trainer.fork_workers": forks})) == []
    (finding,) = check(changed(**{"trainer.fork_workers": forks, "trainer.n_gpus_per_node": 2}))
    assert f"{free} GB is free" in finding and "trainer.n_gpus_per_node=1" in finding


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


def test_what_goes_on_meanwhile_starts_with_possible_values_alone(changed):
    started = []
    assert check(changed(), when_plausible=started.append) == [] and len(started) == 1
    for impossible in ({"run_dir": 5}, {"seed": -1}, {f"{ACTOR}.optim.lr": "small"}):
        assert check(changed(**impossible), when_plausible=started.append) and len(started) == 1


def test_a_disk_without_room_for_a_checkpoint_is_named_before_the_run(changed, monkeypatch):
    monkeypatch.setattr(checkpoints, "expected_bytes", lambda config: 1e18)
    (finding,) = check(changed())
    assert "a checkpoint takes 1050000000.0 GB and" in finding and "trainer.default_local_dir=DIR" in finding
    assert check(changed(**{"trainer.save_freq": -1})) == []
    assert check(changed(dry_run=True)) == []  # which plans for another machine


def test_fsdp_1_cannot_cut_its_shards_anew(changed, tmp_path):
    config = changed(**{f"{ACTOR}.strategy": "fsdp"})
    run = open_run_dir(config)
    actor = run.checkpoints / "global_step_3" / "actor"
    actor.mkdir(parents=True)
    (actor / "fsdp_config.json").write_text('{"world_size": 4}')
    mark_complete(actor.parent)
    findings = list(checkpoints.check(config))
    assert len(findings) == 1
    assert "was saved by 4 ranks" in findings[0] and "for 4 GPUs" in findings[0]
    config.actor_rollout_ref.actor.strategy = "fsdp2"
    assert list(checkpoints.check(config)) == []


def test_a_damaged_checkpoint_of_another_run_is_refused(changed, tmp_path):
    folder = tmp_path / "other" / "global_step_3"
    folder.mkdir(parents=True)
    (folder / "data.pt").write_text("x")
    config = changed(**{"trainer.resume_mode": "resume_path", "trainer.resume_from_path": str(folder)})
    assert check(config) == []  # of stock verl, which marks none
    mark_complete(folder)
    assert check(config) == []
    (folder / "data.pt").write_text("")
    (finding,) = check(config)
    assert "is not whole, it has 0 bytes of data.pt, where 1 were saved" in finding
