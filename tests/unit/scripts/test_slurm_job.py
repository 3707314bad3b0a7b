"""The batch scripts from their start to their end, with stand-ins for Slurm and for what runs on a node."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from slurm_job import SCRIPTS, FakeJob

OVERRIDES = ["+a='b c'", 'd="{x: [1, $HOME]}"', "e=one\ntwo", "f=*", r"g=\1", "h=;`id`"]
WAIT_FOR_SAVE = "exec('while not os.path.exists(folder + \"/save\"): time.sleep(0.05)'); sys.exit(75)"


def make(folder: Path, nodes: tuple[str, ...] = ("n1",), **environment: str) -> FakeJob:
    return FakeJob(folder, sys.executable, nodes, **environment)


def started(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Return when the first node's step runs."""
    end = time.monotonic() + 20
    while not (folder / "head.json").exists() or not (folder / "head.json").read_text():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


def after_separator(argv: object) -> list[str]:
    assert isinstance(argv, list)
    return argv[argv.index("--") + 1 :]


def test_the_exit_code_of_the_training_is_the_jobs(tmp_path: Path) -> None:
    code, output = make(tmp_path, STEP="sys.exit(3)").run("train.sbatch")
    assert code == 3
    assert "ended with exit code 3" in output and f"{tmp_path}/outputs/slurm/17-0" in output


def test_overrides_arrive_as_they_were_typed_on_every_node_after_what_the_allocation_says(tmp_path: Path) -> None:
    job = make(tmp_path, ("n1", "n2", "n3"), SLURM_GPUS_ON_NODE="4")
    assert job.run("train.sbatch", *OVERRIDES)[0] == 0
    derived = ["trainer.nnodes=3", "trainer.n_gpus_per_node=4"]
    assert after_separator(job.step("head")["argv"]) == derived + OVERRIDES
    assert after_separator(job.step("worker")["argv"]) == derived + OVERRIDES


def test_the_others_join_the_first_nodes_address(tmp_path: Path) -> None:
    job = make(tmp_path, ("n1", "n2"))
    assert job.run("train.sbatch")[0] == 0
    head, worker = (job.step(role)["argv"] for role in ("head", "worker"))
    addresses = [next(a for a in argv if a.startswith("--address=")) for argv in (head, worker)]
    assert addresses[0] == addresses[1] and re.fullmatch(r"--address=127\.0\.0\.1:2\d{4}", addresses[0])


def test_the_output_is_shown_and_kept_an_attempt_each(tmp_path: Path) -> None:
    _, first = make(tmp_path, ("n1", "n2")).run("train.sbatch")
    make(tmp_path, ("n1", "n2"), SLURM_RESTART_COUNT="1", STEP="print('second')").run("train.sbatch")
    logs = tmp_path / "outputs" / "slurm"
    assert "hello from head" in first and first == (logs / "17-0" / "job.log").read_text()
    assert "second" in (logs / "17-1" / "job.log").read_text()
    assert (logs / "17-0" / "others.log").read_text() == "hello from worker\n"


def test_before_the_time_limit_the_run_saves_and_the_job_is_queued_again(tmp_path: Path) -> None:
    job = make(tmp_path, STEP=WAIT_FOR_SAVE)
    process = job.start("train.sbatch")
    started(process, tmp_path)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 75 and job.requeued == "17"
    assert "goes on by itself" in output


def test_a_job_that_slurm_does_not_take_back_says_so(tmp_path: Path) -> None:
    job = make(tmp_path, STEP="sys.exit(75)", SCONTROL_EXIT="1")
    code, output = job.run("train.sbatch")
    assert code == 75 and "submit it again to go on" in output


def test_a_job_whose_time_is_too_short_for_a_step_is_not_queued_for_ever(tmp_path: Path) -> None:
    step = "open(folder + '/no_step', 'w'); sys.exit(75)"
    assert make(tmp_path, STEP=step).run("train.sbatch")[0] == 75
    second = make(tmp_path, STEP=step, SLURM_RESTART_COUNT="1")
    code, output = second.run("train.sbatch")
    assert code == 75 and second.requeued == "17"  # of the first attempt alone
    assert "two attempts ended before they had trained a step" in output


def test_sigterm_ends_the_job_with_143_once_the_step_has_ended(tmp_path: Path) -> None:
    job = make(tmp_path, STEP="time.sleep(2); print('cleaned'); sys.exit(0)")
    process = job.start("train.sbatch")
    started(process, tmp_path)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 143 and "cleaned" in output and job.requeued == ""


def test_after_a_killed_step_the_nodes_are_cleaned(tmp_path: Path) -> None:
    job = make(tmp_path, ("n1", "n2"), STEP="open(folder + '/alive', 'w'); os.kill(os.getpid(), 9)")
    code, output = job.run("train.sbatch")
    assert code == 137 and "the step on n1 was killed." in output
    assert job.step("clean")["argv"][1] == "clean"


def test_a_step_that_ended_by_itself_needs_no_cleaning(tmp_path: Path) -> None:
    assert make(tmp_path, ("n1", "n2"), STEP="sys.exit(1)").run("train.sbatch")[0] == 1
    assert not (tmp_path / "clean.json").exists()


def test_no_secret_is_printed_or_passed_in_a_command_line_and_the_token_goes(tmp_path: Path) -> None:
    job = make(tmp_path, ("n1", "n2"), WANDB_API_KEY="k3y", STEP="print(open(token).read()[:0]); sys.exit(1)")
    _, output = job.run("train.sbatch")
    assert job.step("head")["token_mode"] == "0o600"
    assert "k3y" not in output and "k3y" not in json.dumps(job.step("head"))
    assert not list((tmp_path / "outputs").rglob("token"))


def test_outside_of_slurm_the_script_says_what_to_do(tmp_path: Path) -> None:
    job = make(tmp_path)
    del job.environment["SLURM_JOB_ID"]
    code, output = job.run("train.sbatch")
    assert code == 2 and output.startswith("slurm: this is no Slurm job: submit it with sbatch")


def test_a_submission_from_elsewhere_is_refused(tmp_path: Path) -> None:
    job = make(tmp_path, SLURM_SUBMIT_DIR=str(tmp_path))
    del job.environment["GMPO_HOME"]
    code, output = job.run("train.sbatch")
    assert code == 2 and "is no checkout of gmpo_verl" in output


def test_without_an_environment_the_script_says_how_to_make_one(tmp_path: Path) -> None:
    code, output = make(tmp_path, GMPO_PYTHON="/nowhere/python").run("train.sbatch")
    assert code == 2 and "/nowhere/python does not exist: run scripts/setup.sh" in output


@pytest.mark.parametrize(
    "container, words",
    [
        ("pyxis:nvcr.io#a/b:1", ["--container-image=nvcr.io#a/b:1", "--container-mounts={mounts}"]),
        ("apptainer:/images/g.sif", ["apptainer exec --bind {mounts} --pwd {cwd} --nv /images/g.sif python "]),
    ],
)
def test_a_container_is_one_variable(tmp_path: Path, container: str, words: list[str]) -> None:
    job = make(tmp_path, GMPO_CONTAINER=container, GMPO_MOUNTS="/data,/models")
    del job.environment["GMPO_PYTHON"]
    job.environment["PATH"] = f"{Path(sys.executable).parent}:{job.environment['PATH']}"
    code, output = job.run("train.sbatch", "--dry-run", "--nodes=2", "--gpus-per-node=2")
    assert code == 0, output
    home = SCRIPTS.parents[1]
    mounts = f"{tmp_path}:{tmp_path},{home}:{home},/data:/data,/models:/models"
    for word in words:
        assert output.count(word.format(mounts=mounts, cwd=tmp_path)) == 2


def test_a_container_of_another_kind_is_refused(tmp_path: Path) -> None:
    code, output = make(tmp_path, GMPO_CONTAINER="docker:x").run("train.sbatch")
    assert code == 2 and output.strip().endswith("write pyxis:IMAGE or apptainer:IMAGE.")


def test_the_dry_run_says_what_would_run_on_every_node(tmp_path: Path) -> None:
    job, options = make(tmp_path, GMPO_PYTHON=sys.executable), ("recipe=qwen2_5_math_7b", "trainer.nnodes=2")
    code, output = job.run("train.sbatch", "--dry-run", "--nodes=3", "--gpus-per-node=8", *options)
    assert code == 0, output
    nodes, _, plan = output.partition("the training:")
    commands = [shlex.split(line) for line in nodes.splitlines() if line.startswith("  ")]
    steps = [command for command in commands if command[0] == "srun"]
    assert [next(a for a in step if a.startswith("--nodelist=")) for step in steps] == [
        "--nodelist=node1",
        "--nodelist=node2,node3",
    ]
    rays = [command for command in commands if "start" in command]
    assert ["--head" in ray for ray in rays] == [True, False] and all("--num-gpus=8" in ray for ray in rays)
    (training,) = [command for command in commands if "gmpo_verl.main_ppo" in command]
    assert training[0].startswith("RAY_ADDRESS=node1:")
    assert training[-4:] == ["trainer.nnodes=3", "trainer.n_gpus_per_node=8", *options]
    assert "16 on cuda (2 nodes x 8)" in plan
    assert not (tmp_path / "outputs").exists()


def test_a_mistake_in_an_option_ends_the_dry_run_with_2(tmp_path: Path) -> None:
    code, output = make(tmp_path, GMPO_PYTHON=sys.executable).run("train.sbatch", "--dry-run", "recipe=nothing")
    assert code == 2 and "recipe=nothing does not exist" in output


@pytest.mark.parametrize("script", ["train.sbatch", "evaluate.sbatch"])
def test_slurm_asks_for_a_save_in_time_and_appends_to_the_output(script: str) -> None:
    options = [line for line in (SCRIPTS / script).read_text().splitlines() if line.startswith("#SBATCH")]
    for option in ("--signal=B:USR1@300", "--requeue", "--open-mode=append", "--output=slurm-%j.out"):
        assert f"#SBATCH {option}" in options
