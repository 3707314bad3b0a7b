"""Trains the runs of studies one after the other: `run.py core|full|STUDY ... [--work DIR] [--results DIR] [--plan]`.

What is done is skipped, what was begun is resumed. A finished run leaves its metrics in the folder of results; so does
one whose loss or gradient was no number any more, as a collapse is a result. Any other failure ends this command.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from design import CHECKOUT, RESULTS, StudyRun, read_design
from kept import keep

TRAIN = [sys.executable, "-m", "gmpo_verl.main_ppo"]
# What a run says that its guard against non-finite updates stopped; no other failure is a result.
STOPPED = "loss or gradient not finite in"
FAILED, STOPPED_BY_SIGNAL = 1, (75, 130, 143, -signal.SIGINT, -signal.SIGTERM)
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# In a session of its own, so that Ctrl-C reaches a run once, through here.
_ASIDE: dict[str, Any] = {"cwd": CHECKOUT, "env": {"HF_HUB_OFFLINE": "1", **os.environ}, "start_new_session": True}


def main(arguments: list[str] | None = None) -> int:
    """Trains what is missing; returns the exit code."""
    design, options = read_design(), _parser().parse_args(arguments)
    names = [name for word in options.what for name in design.sizes.get(word, (word,))]
    unknown = [name for name in names if name not in design.studies]
    if unknown:
        known = ", ".join(dict.fromkeys([*design.sizes, *design.studies]))
        print(f"run: there is no study {', '.join(unknown)}: write one of {known}.", file=sys.stderr)
        return 2
    runs = design.runs(design.studies[name] for name in dict.fromkeys(names))
    missing = [run for run in runs if not (options.results / "runs" / run.name / "run.json").is_file()]
    left = _time_left(missing, options.results) if missing else "; --results DIR trains them anew, into DIR"
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them done{left}", flush=True)
    if options.plan:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--plan | head` ends quietly
        for run in missing:
            print(f"python -m gmpo_verl.main_ppo {' '.join(run.command(options.work / run.name))}")
        return 0
    for index, run in enumerate(missing):
        code = train(run, options.work, options.results, design.metrics)
        if code not in (0, FAILED):
            return code
        done = len(runs) - len(missing) + index + 1
        print(f"{done} of {len(runs)} done{_time_left(missing[index + 1 :], options.results)}", flush=True)
    return 0


def train(run: StudyRun, work: Path, results: Path, metrics: tuple[str, ...]) -> int:
    """Trains one run and keeps its metrics; returns its exit code, 2 for a failure that is no result."""
    run_dir, begun = work / run.name, time.monotonic()
    before = _seconds_before(work, run)
    print(f"{run.name}: {' '.join(run.overrides)}", flush=True)
    log = work / f"{run.name}.log"
    work.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        command = [*TRAIN, *run.command(run_dir)]
        code = _forwarding(subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, **_ASIDE))
    seconds = before + time.monotonic() - begun
    (work / f"{run.name}.seconds").write_text(f"{seconds:.0f}\n")
    if code in STOPPED_BY_SIGNAL:
        print(f"{run.name} was stopped: repeat the command to go on.", file=sys.stderr)
        return 130
    if code == FAILED and STOPPED not in log.read_text(errors="replace"):
        print(f"{run.name} failed: see {log}", file=sys.stderr)
        return 2
    if code not in (0, FAILED):
        print(f"{run.name} ended with {code}: see {log}", file=sys.stderr)
        return 2
    keep(run_dir, results / "runs" / run.name, metrics, _made(run, seconds, code))
    print(f"{run.name}: {seconds / 60:.1f} min{'' if code == 0 else ', stopped by its own checks'}", flush=True)
    return code


def _forwarding(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a run, which gets the signals that this process gets, each once."""
    before = {number: signal.signal(number, lambda got, _: process.send_signal(got)) for number in FORWARDED}
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _time_left(missing: list[StudyRun], results: Path) -> str:
    """As many times the median run as are missing, in words; nothing before the first run has ended."""
    seconds = [json.loads(path.read_text())["seconds"] for path in sorted((results / "runs").glob("*/run.json"))]
    if not missing or not seconds:
        return ""
    return f", about {len(missing) * statistics.median(seconds) / 60:.0f} min left"


def _seconds_before(work: Path, run: StudyRun) -> float:
    """What earlier attempts at this run have taken."""
    path = work / f"{run.name}.seconds"
    return float(path.read_text()) if path.is_file() else 0.0


def _made(run: StudyRun, seconds: float, code: int) -> dict[str, Any]:
    return {
        "arm": run.arm,
        "seed": run.seed,
        "command": f"python -m gmpo_verl.main_ppo {' '.join(run.overrides)} seed={run.seed}",
        "commit": _commit(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {_processor()}",
        "seconds": round(seconds),
        "ended": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "exit_code": code,
    }


def _commit() -> str:
    """The commit of the checkout, with a plus sign where files of it were changed."""
    git = ["git", "-C", str(CHECKOUT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True
    ).stdout.strip()
    return head.stdout.strip() + ("+" if changed else "")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", nargs="+", help="core, full, or names of studies in studies.yaml")
    parser.add_argument("--work", type=Path, default=CHECKOUT / "outputs" / "stability", help="run directories")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where finished runs leave their metrics")
    parser.add_argument("--plan", action="store_true", help="print the commands of the missing runs, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
