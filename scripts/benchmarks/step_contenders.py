"""How each contender of `step.py` is started, and the steps that it reports while it runs."""

import contextlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import step_stock
from step_task import Task

from gmpo_verl.supervisor.json_lines import JsonLinesTail

TRL = "TRL"
FOLDER = Path(__file__).parent
POLL_SECONDS = 0.01
PHASES = ("gen", "old_log_prob", "update_actor", "update_weights")


@dataclass(frozen=True)
class Step:
    seconds: float  # from the end of the step before to the end of this one; NaN for the first
    cpu_s: float  # processor time of all processes of the contender in that time
    phases: dict[str, float]  # seconds
    reward: float  # mean over the responses
    pruned: float  # share of the responses without an update


# command(task, steps, folder): Python's arguments; the program appends a row a step to `metrics.jsonl` in the folder.
Command = Callable[[Task, int, Path], list[str]]


def _script(name: str) -> Command:
    def command(task: Task, steps: int, folder: Path) -> list[str]:
        task.save(folder / "task.json")
        return [str(FOLDER / name), str(folder / "task.json"), str(folder / "metrics.jsonl"), str(steps)]

    return command


def _verl(program: list[str], *overrides: str) -> Command:
    def command(task: Task, steps: int, folder: Path) -> list[str]:
        own = (f"trainer.total_training_steps={steps}", f"run_dir={folder}")
        return [*program, *task.overrides, *overrides, *own]

    return command


CONTENDERS = {
    "plain loop": _script("step_plain.py"),
    "gmpo_verl": _verl(["-m", "gmpo_verl.main_ppo"]),
    "stock verl": _verl([str(FOLDER / "step_stock.py")], *step_stock.OVERRIDES),
    TRL: _script("step_trl.py"),
}


def run(name: str, task: Task, steps: int, folder: Path, trl: Path | None) -> list[Step]:
    """The steps of one run.

    A step's time is taken here, by the arrival of its row: the same clock for all, and nothing of a step is left out.
    `trl` is where TRL is installed, which TRL's process alone may know: verl imports names from any `trl` that it finds
    which the version 1.16.0 no longer has.

    Raises RuntimeError, with the end of its output, where it fails.
    """
    folder.mkdir()
    metrics, output = folder / "metrics.jsonl", folder.with_suffix(".log")
    environment = {
        "OMP_NUM_THREADS": str(task.threads),
        "VLLM_CPU_KVCACHE_SPACE": str(task.kv_cache_gib),
        "VERL_FILE_LOGGER_PATH": str(metrics),
        "HF_HUB_OFFLINE": "1",
        "RAY_worker_niceness": "0",  # Ray's 15 would let other work on the machine slow down verl alone
    }
    if name == TRL:
        environment["PYTHONPATH"] = os.pathsep.join([str(trl), *filter(None, [os.environ.get("PYTHONPATH")])])
    with output.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *CONTENDERS[name](task, steps, folder)],
            env=os.environ | environment,
            cwd=folder.parent,  # not where the command was given: Python would import a folder `trl` from there
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        taken = _follow(process, JsonLinesTail(metrics))
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
    if process.returncode != 0 or len(taken) != steps:
        raise RuntimeError(f"{name} ended with {process.returncode}:\n{output.read_text(errors='replace')[-3000:]}")
    return taken


def _follow(process: subprocess.Popen[bytes], rows: JsonLinesTail) -> list[Step]:
    steps: list[Step] = []
    before, cpu_before = math.nan, math.nan
    ended = False
    while not ended:
        # Not waited for, so that its processor time stays to be read; and before the last look at what it has written.
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        for row in rows.read():
            now, cpu_now = time.perf_counter(), _cpu_seconds(process.pid)
            steps.append(_step(now - before, cpu_now - cpu_before, row["data"]))
            before, cpu_before = now, cpu_now
        time.sleep(POLL_SECONDS)
    return steps


def _cpu_seconds(pid: int) -> float:
    """Of a process, which nobody has waited for yet, and all its living descendants."""
    parent, total = psutil.Process(pid), 0.0
    for process in (parent, *parent.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _step(seconds: float, cpu_s: float, data: dict[str, float]) -> Step:
    phases = {name: data.get(f"timing_s/{name}", 0.0) for name in PHASES}
    phases["rest"] = seconds - sum(phases.values())
    return Step(seconds, cpu_s, phases, data["critic/score/mean"], data.get("gmpo/pruned_frac", 0.0))
