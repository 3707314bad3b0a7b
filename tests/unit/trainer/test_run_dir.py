"""A run's directory: new, resumed, finished, or somebody else's."""

import json

import pytest
import yaml
from omegaconf import OmegaConf

from gmpo_verl.errors import UserError
from gmpo_verl.trainer.run_dir import inspect_run_dir, metrics_rows, open_run_dir, write_summary
from gmpo_verl.trainer.run_metrics import cut_metrics


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
    (run.checkpoints / f"global_step_{step}").mkdir()
    (run.checkpoints / "latest_checkpointed_iteration.txt").write_text(str(step))


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


def test_a_checkpoint_whose_folder_is_gone_does_not_count(config):
    run = released(open_run_dir(config))
    (run.checkpoints / "latest_checkpointed_iteration.txt").write_text("6")
    assert open_run_dir(config).resumed_step == 0


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


def test_rows_survive_a_truncated_line_in_the_middle(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        b'{"step": 1, "data": {}}\n{"step": 2, "da\n[1]\n{"step": "x", "data": {}}\n{"step": 3, "data": {}}\n'
    )
    assert [row["step"] for row in metrics_rows(path)] == [1, 3]
    assert cut_metrics(path, 1) == 1
    assert path.read_text() == '{"step": 1, "data": {}}\n'


def test_no_metrics_file_has_no_rows(tmp_path):
    assert list(metrics_rows(tmp_path / "none")) == []
    assert cut_metrics(tmp_path / "none", 3) == 0


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
    with pytest.raises(UserError, match="and 5 more"):
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
