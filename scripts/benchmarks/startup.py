"""From the command to the first optimizer step of the embedded task, with forked workers and without.

    python scripts/benchmarks/startup.py [--short] [--repeats 3]

Seconds after the command at which each part of a run is first seen (looked for ten times a second), the processor time
of all processes up to the first step, and their memory at that moment (proportional set size). The embedded task's
files are made before. Each repeat runs both in turn; the figures are medians.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time

import psutil
from rich import box
from rich.console import Console
from rich.table import Table
from watched_run import WatchedRun, memory_by_role

CONTENDERS = {"forked workers": "auto", "each imports": "false"}
PARTS = ("raylet", "task runner", "FSDP worker", "vLLM server", "vLLM engine", "agent-loop worker")
CONFIGURED, FIRST_STEP = "configuration checked", "first optimizer step"
CPU, MEMORY = "processor time s", "memory GB"
ROWS = (CONFIGURED, *PARTS, FIRST_STEP, CPU, MEMORY)


def measure(fork_workers: str) -> dict[str, float]:
    """One run to its end; what is in ROWS."""
    found: dict[str, float] = {}
    cpu_s: dict[int, float] = {}
    with WatchedRun("trainer.total_training_steps=1", f"trainer.fork_workers={fork_workers}") as run:
        while run.is_alive and FIRST_STEP not in found:
            for role, process in run.processes():
                with contextlib.suppress(psutil.Error):
                    cpu_s[process.pid] = sum(process.cpu_times()[:2])
                    found.setdefault(role, run.seconds())
            if (run.run_dir / "logs" / "driver.log").exists():
                found.setdefault(CONFIGURED, run.seconds())
            if run.steps():
                found[FIRST_STEP] = run.seconds()
                found[MEMORY] = sum(memory_by_role(run).values()) / 1e9
            time.sleep(0.1)
    return found | {CPU: sum(cpu_s.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    parser.add_argument("--short", action="store_true", help="one run of each: two minutes")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")

    measured: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GMPO_CACHE"] = cache
        measure("auto")  # makes the embedded task's files
        for _ in range(1 if options.short else options.repeats):
            for name, runs in measured.items():
                runs.append(measure(CONTENDERS[name]))

    table = Table(title="Seconds after the command", box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in measured:
        table.add_column(name, justify="right")
    for row in ROWS:
        table.add_row(row, *(f"{statistics.median(run[row] for run in runs):.1f}" for runs in measured.values()))
    Console(width=80).print(table)  # in full, in a log too


if __name__ == "__main__":
    main()
