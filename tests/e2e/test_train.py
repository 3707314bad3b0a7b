"""The README's training command, cut to a few steps: the real Ray, vLLM server, FSDP2 engine and reward."""

import json
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_run import assert_trained, metrics_rows, train

pytestmark = pytest.mark.e2e

STEPS = 4
EVERY_SECOND = ("trainer.save_freq=2", "trainer.test_freq=2", "trainer.logger=[console,file,tensorboard,wandb]")


@pytest.fixture(scope="module", autouse=True)
def wandb_offline():
    os.environ["WANDB_MODE"] = "offline"
    yield
    del os.environ["WANDB_MODE"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder, "algorithm=gmpo", *EVERY_SECOND, f"trainer.total_training_steps={STEPS}")


def test_trains_the_asked_for_steps_and_ends_with_0(run):
    assert_trained(*run, STEPS)


def test_the_run_directory_is_complete(run):
    folder = run[0] / "run"
    assert json.loads((folder / "finished.json").read_text())["step"] == STEPS
    assert (folder / "checkpoints" / f"global_step_{STEPS}" / "actor").is_dir()
    model_config = folder / "checkpoints" / f"global_step_{STEPS}" / "actor" / "huggingface" / "config.json"
    assert json.loads(model_config.read_text())["attn_implementation"] == "sdpa"  # which every reader knows
    for name in ("config.yaml", "logs/driver.log", f"rollouts/{STEPS}.jsonl", f"validation/{STEPS}.jsonl"):
        assert (folder / name).is_file(), name


def test_the_summary_names_accuracy_places_and_a_next_command(run):
    output = run[1].stdout + run[1].stderr
    for text in ("val-core/arithmetic/acc/mean@4", "metrics.jsonl", "python -m gmpo_verl.main_ppo"):
        assert text in output


def test_a_finished_run_says_so_and_ends_with_0(run):
    folder = run[0]
    result = train(folder, "algorithm=gmpo", *EVERY_SECOND, f"trainer.total_training_steps={STEPS}")
    assert result.returncode == 0
    assert "trainer.total_training_steps=" in result.stdout + result.stderr
    assert len(metrics_rows(folder)) == STEPS + 1


def test_asked_for_more_steps_it_trains_the_rest(run):
    folder = run[0]
    result = train(folder, "algorithm=gmpo", *EVERY_SECOND, f"trainer.total_training_steps={STEPS + 1}")
    assert_trained(folder, result, STEPS + 1)
    assert json.loads((folder / "run" / "finished.json").read_text())["step"] == STEPS + 1


def test_every_logger_has_every_step_of_both_attempts_once(run):
    logs = run[0] / "run" / "logs"
    accuracy, reward = "val-core/arithmetic/acc/mean@4", "critic/score/mean"
    for steps in (wandb_steps(logs, reward), tensorboard_steps(logs, reward), file_steps(logs, reward)):
        assert steps == list(range(1, STEPS + 2))
    for steps in (wandb_steps(logs, accuracy), tensorboard_steps(logs, accuracy), file_steps(logs, accuracy)):
        assert steps == [0, 2, 4, 5]
    (run_id,) = {path.name.rpartition("-")[2] for path in logs.glob("wandb/offline-run-*")}
    assert run_id == (logs / "wandb_run_id").read_text().strip()


def wandb_steps(logs: Path, key: str) -> list[int]:
    """The steps at which wandb's offline runs, one an attempt, have the key."""
    from wandb.proto import wandb_internal_pb2

    steps = []
    for file in sorted(logs.glob("wandb/offline-run-*/run-*.wandb")):
        for data in wandb_records(file):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            if key in values:
                steps.append(int(values["_step"]))
    return steps


def wandb_records(file: Path) -> Iterator[bytes]:
    """The records of a .wandb file, which is a log as LevelDB writes it, behind 7 bytes of its own."""
    data, place, parts = file.read_bytes(), 7, b""
    block, header, ends = 32768, 7, (1, 4)  # a record is whole (1), or its first, middle and last (4) parts
    while place + header <= len(data):
        if block - place % block < header:
            place += block - place % block
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        parts += data[place + header : place + header + length]
        place += header + length
        if kind in ends:
            yield parts
            parts = b""


def tensorboard_steps(logs: Path, key: str) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(logs / "tensorboard")).Reload()
    return [event.step for event in events.Scalars(key)]


def file_steps(logs: Path, key: str) -> list[int]:
    files = sorted(logs.glob("verl_metrics*.jsonl"), key=lambda file: file.stat().st_mtime)
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [row["step"] for row in rows if key in row["data"]]
