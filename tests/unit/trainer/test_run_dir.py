"""A run's directory: new, resumed, finished, or somebody else's."""

import json

import pytest
import yaml
from omegaconf import OmegaConf

from gmpo_verl.errors import UserError
from gmpo_verl.trainer.checkpoints.markers import mark_complete
from gmpo_verl.trainer.run_dir import inspect_run_dir, metrics_rows, open_run_dir, start_from, write_summary


@pytest.fixture
def config(tmp_path):
    return OmegaConf.create(
        {
            "seed": 0,
            "run_dir": str(tmp_path / "run"),
            "dry_run": False,
            "actor_rollout_ref": {"actor": {"optim": {"lr": 1e-4, "betas": [0.9, 0.99]}, "extra": {}}},
            "trainer": {
                "default_local_dir": "${run_dir}/checkpoints",
                "total_training_steps": 10,
                "total_epochs": 30,
                "max_restarts": 0,
            },
        }
    )


def released(run):
    run._lock.close()
    return run


def changed(config, key, value):
    other = config.copy()
    OmegaConf.update(other, key, value)
    return other


def write_checkpoint(run, step):
    folder = run.checkpoints / f"global_step_{step}"
    folder.mkdir()
    (folder / "data.pt").write_text("x")
    mark_complete(folder)


def test_a_new_run_gets_its_folders_and_its_resolved_configuration(config):
    run = open_run_dir(config)
    assert run.state == "new"
    assert run.resumed_step == 0
    assert {path.name for path in run.path.iterdir() if path.is_dir()} == {
        "checkpoints",
        "rollouts",
        "validation",
        "logs",
    }
    assert yaml.safe_load(run.config.read_text()) == OmegaConf.to_container(config, resolve=True)


def test_inspecting_writes_nothing(config, tmp_path):
    assert inspect_run_dir(config).state == "new"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_new(config, tmp_path):
    (tmp_path / "run" / "logs").mkdir(parents=True)
    assert open_run_dir(config).state == "new"


def test_the_same_configuration_resumes_after_the_newest_checkpoint(config):
    write_checkpoint(released(open_run_dir(config)), 6)
    run = open_run_dir(config)
    assert (run.state, run.resumed_step) == ("resume", 6)


def test_a_checkpoint_that_is_only_named_does_not_count(config):
    run = released(open_run_dir(config))
    (run.checkpoints / "latest_checkpointed_iteration.txt").write_text("6")
    again = open_run_dir(config)
    assert again.resumed_step == 0
    assert again.message.endswith("has no complete checkpoint and begins anew")


def test_what_is_newer_than_the_newest_whole_checkpoint_is_named_and_cleared_away(config):
    run = released(open_run_dir(config))
    for step in (2, 4, 6):
        write_checkpoint(run, step)
    (run.checkpoints / "global_step_4" / "COMPLETE").unlink()
    (run.checkpoints / "global_step_6" / "data.pt").write_text("longer")
    assert inspect_run_dir(config).resumed_step == 2
    assert len(list(run.checkpoints.iterdir())) == 3  # only looked at
    again = open_run_dir(config)
    assert again.resume_point.skipped == [
        "global_step_6 is not resumed from: it has 6 bytes of data.pt, where 1 were saved",
        "global_step_4 is not resumed from: it has no COMPLETE marker",
    ]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "damaged_global_step_6",
        "global_step_2",
        "latest_checkpointed_iteration.txt",
    ]


def test_resuming_removes_the_answers_of_later_steps(config):
    run = released(open_run_dir(config))
    write_checkpoint(run, 2)
    for step in (0, 2, 3):
        (run.validation / f"{step}.jsonl").write_text("{}")
        (run.rollouts / f"{step}.jsonl").write_text("{}")
    open_run_dir(config)
    for folder in (run.rollouts, run.validation):
        assert sorted(path.name for path in folder.iterdir()) == ["0.jsonl", "2.jsonl"]


def test_a_new_run_does_not_take_the_checkpoints_of_another(config, tmp_path):
    write_checkpoint(released(open_run_dir(config)), 6)
    other = changed(config, "trainer.default_local_dir", str(tmp_path / "run" / "checkpoints"))
    other.run_dir = str(tmp_path / "other")
    with pytest.raises(UserError, match="holds checkpoints of another run"):
        open_run_dir(other)


def resume_options(mode="auto", path=None):
    return {"resume_mode": mode, "resume_from_path": path, "val_before_train": True}


def test_verl_is_sent_to_the_newest_whole_checkpoint_and_validates_it_no_second_time(config):
    config.trainer.update(resume_options())
    run = released(open_run_dir(config))
    write_checkpoint(run, 6)
    assert start_from(open_run_dir(config), config) == 6
    assert config.trainer.resume_mode == "resume_path"
    assert config.trainer.resume_from_path == str(run.checkpoints / "global_step_6")
    assert config.trainer.val_before_train is False


def test_without_a_checkpoint_verl_looks_for_none(config):
    config.trainer.update(resume_options())
    assert start_from(open_run_dir(config), config) == 0
    assert (config.trainer.resume_mode, config.trainer.val_before_train) == ("disable", True)


def test_a_run_that_begins_from_another_goes_on_from_its_own(config, tmp_path):
    config.trainer.update(resume_options("resume_path", str(tmp_path / "elsewhere" / "global_step_30")))
    first = config.copy()
    run = released(open_run_dir(first))
    assert start_from(run, first) == 30
    assert first.trainer.resume_from_path.endswith("elsewhere/global_step_30") and first.trainer.val_before_train
    write_checkpoint(run, 32)
    assert start_from(open_run_dir(config), config) == 32
    assert config.trainer.resume_from_path == str(run.checkpoints / "global_step_32")


@pytest.mark.parametrize(
    ("key", "value"),
    [("trainer.nnodes", 2), ("ray_kwargs", {"ray_init": {"address": "h:1"}}), ("trainer.save_freq", 5)],
)
def test_where_a_run_goes_on_and_how_it_is_watched_is_free(config, key, value):
    released(open_run_dir(config))
    assert open_run_dir(changed(config, key, value)).state == "resume"


def test_an_option_that_an_older_configuration_lacks_has_its_default_there(config):
    released(open_run_dir(config))
    newer = changed(changed(config, "trainer.critic_warmup", 0), "data.brand_new", None)
    released(open_run_dir(changed(newer, "arithmetic.worked_steps", False)))
    with pytest.raises(UserError, match=r"critic_warmup: \(absent\) -> 3"):
        stored = yaml.safe_load((inspect_run_dir(config).path / "config.yaml").read_text())
        del stored["trainer"]["critic_warmup"]
        (inspect_run_dir(config).path / "config.yaml").write_text(yaml.safe_dump(stored))
        open_run_dir(changed(newer, "trainer.critic_warmup", 3))


def test_resuming_cuts_off_the_rows_after_the_checkpoint(config):
    run = released(open_run_dir(config))
    write_checkpoint(run, 2)
    rows = "".join(json.dumps({"step": step, "data": {"x": step}}) + "\n" for step in range(5))
    run.metrics.write_text(rows + '{"step": 5, "da')
    assert [row["step"] for row in metrics_rows(open_run_dir(config).metrics)] == [0, 1, 2]


def test_a_run_that_begins_anew_keeps_no_rows(config):
    run = released(open_run_dir(config))
    run.metrics.write_text('{"step": 0, "data": {"x": 1}}\n')
    assert list(metrics_rows(open_run_dir(config).metrics)) == []


def test_another_configuration_is_refused_with_the_keys_that_differ(config):
    released(open_run_dir(config))
    with pytest.raises(UserError) as caught:
        open_run_dir(changed(changed(config, "seed", 1), "actor_rollout_ref.actor.optim.lr", 1e-5))
    assert "seed: 0 -> 1" in str(caught.value)
    assert "actor_rollout_ref.actor.optim.lr: 0.0001 -> 1e-05" in str(caught.value)


def test_at_most_five_differences_are_listed(config):
    released(open_run_dir(config))
    other = config.copy()
    other.actor_rollout_ref.actor.extra = {f"k{n}": n for n in range(9)}
    with pytest.raises(UserError, match="and 4 more"):
        open_run_dir(other)


def test_foreign_files_are_refused(config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="not of a run"):
        open_run_dir(config)
    (tmp_path / "run" / "config.yaml").write_text("model: something else")
    with pytest.raises(UserError, match="not of a run"):
        open_run_dir(config)


def test_a_file_is_no_run_directory(config, tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        open_run_dir(config)


def test_a_finished_run_says_so_and_how_to_extend_it(config):
    run = released(open_run_dir(config))
    run.mark_finished(10)
    arguments = ["algorithm=gmpo", "seed=0", "trainer.total_training_steps=10", "run_dir=elsewhere"]
    again = open_run_dir(config, arguments)
    assert again.state == "finished"
    assert again.finished_message.endswith(
        f"python -m gmpo_verl.main_ppo algorithm=gmpo seed=0 run_dir={run.path} trainer.total_training_steps=20"
    )
    assert run.finished.exists()


@pytest.mark.parametrize(("asked", "state"), [(20, "resume"), (10, "finished"), (5, "finished")])
def test_only_more_steps_extend_a_finished_run(config, asked, state):
    run = released(open_run_dir(config))
    write_checkpoint(run, 10)
    run.mark_finished(10)
    again = open_run_dir(changed(config, "trainer.total_training_steps", asked))
    assert again.state == state
    assert run.finished.exists() == (state == "finished")
    assert yaml.safe_load(run.config.read_text())["trainer"]["total_training_steps"] == max(asked, 10)


def test_more_epochs_extend_a_finished_run_without_a_number_of_steps(config):
    config.trainer.total_training_steps = None
    run = released(open_run_dir(config))
    run.mark_finished(10)
    assert open_run_dir(config).state == "finished"
    assert open_run_dir(changed(config, "trainer.total_epochs", 31)).state == "resume"


def test_an_unfinished_run_cannot_be_shortened(config):
    released(open_run_dir(config))
    with pytest.raises(UserError, match="total_training_steps: 10 -> 5"):
        open_run_dir(changed(config, "trainer.total_training_steps", 5))


def test_a_moved_run_resumes(config, tmp_path):
    released(open_run_dir(config)).path.rename(tmp_path / "moved")
    assert open_run_dir(changed(config, "run_dir", str(tmp_path / "moved"))).state == "resume"


def test_two_processes_cannot_train_in_one_directory(config):
    run = open_run_dir(config)
    with pytest.raises(UserError, match="in use by process"):
        open_run_dir(config)
    run._lock.close()
    assert open_run_dir(config).state == "resume"


def test_the_summary_holds_accuracy_before_and_after(config):
    run = open_run_dir(config)
    rows = [
        {"step": 0, "data": {"val-core/arithmetic/acc/mean@4": 0.2}},
        {"step": 1, "data": {"loss": 1.0}},
        {"step": 10, "data": {"val-core/arithmetic/acc/mean@4": 0.7}},
    ]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = write_summary(run)
    assert summary == json.loads(run.summary.read_text())
    assert summary["last_step"] == 10
    assert summary["validation"] == {
        "val-core/arithmetic/acc/mean@4": {"first_step": 0, "first": 0.2, "last_step": 10, "last": 0.7}
    }
