"""How a run ended: its exit code, and the closing lines that say why, what came of it, and what to do next."""

import re
import shlex
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from gmpo_verl.supervisor.progress import Progress, duration
from gmpo_verl.supervisor.roles import Lost
from gmpo_verl.supervisor.status import DriverStatus

COMMAND = "python -m gmpo_verl.main_ppo"
FAILURE, USER_ERROR = 1, 2
SAVED_AND_STOPPED = 75  # EX_TEMPFAIL of sysexits.h: the same command again goes on
_LOG_END = 256 << 10  # bytes of the driver's log in which the exception is looked for
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RAY_PREFIX = re.compile(r"^\([^)]*pid=[^)]*\) ?")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b(?:\(\w+\))?:? ?.*")


@dataclass
class Ending:
    """What is known when everything of a run has ended.

    `returncode` is the driver's (negative: killed by that signal; None: it had to be killed by us), `lost` the
    essential processes that ended first, `interrupted_by` the signal that asked us to stop (SIGUSR1 where there was no
    step yet to save), `asked_to_save` whether SIGUSR1 came at all.
    """

    argv: list[str]
    status: DriverStatus
    progress: Progress
    returncode: int | None = None
    interrupted_by: int | None = None
    asked_to_save: bool = False
    lost: list[Lost] = field(default_factory=list)
    ray_logs: Path | None = None
    peak_memory: int = 0  # bytes, all processes together
    unkillable: list[int] = field(default_factory=list)
    _said: str | None = None  # the driver's own account of the cause

    def settle_cause(self) -> None:
        """Take down what the driver has said so far, to the supervisor or else to its log where it ended by itself."""
        self._said = self.status.error
        if self._said is None and self.returncode is not None and self.status.run is not None:
            self._said = last_exception(self.status.run.driver_log)

    @property
    def exit_code(self) -> int:
        """0 only if the driver said that it finished what was asked, or had nothing to run (help, say)."""
        if self.status.finished and self.status.error is None:
            return 0
        if self.status.saved_step is not None or self.interrupted_by == signal.SIGUSR1:
            return SAVED_AND_STOPPED
        if self.interrupted_by is not None:
            return 128 + self.interrupted_by
        if self.returncode == USER_ERROR and not self.lost:
            return USER_ERROR
        if self.returncode == 0 and self.status.run is None and self.status.error is None and not self.lost:
            return 0
        return FAILURE

    @property
    def failed(self) -> bool:
        return self.exit_code not in (0, SAVED_AND_STOPPED)

    def lines(self, instead_of_resuming: str | None = None) -> list[str]:
        """The closing lines, the most important ones last; of a failure the very last says how it goes on."""
        leftover = [f"could not be killed, look at them: process {pid}" for pid in self.unkillable]
        if self.exit_code == 0:
            return leftover + (self._summary() if self.status.finished else [])
        if self.status.saved_step is not None:
            step = self.status.saved_step
            return [*leftover, f"Saved step {step} and stopped, as asked. To go on from it: {command(self.argv)}"]
        if self.interrupted_by is not None:
            name = signal.Signals(self.interrupted_by).name
            where = f"at step {self.progress.step}" if self.status.run else "before the run began"
            if self.interrupted_by == signal.SIGUSR1:
                where += ", before there was a new step to save"
            return [*leftover, f"{name}: stopped {where}. {self._resume()}"]
        if self.status.run is None and self.returncode is not None and self.returncode > 0 and not self.status.error:
            return leftover  # the driver has said why on standard error
        return [
            *leftover,
            *self._places(),
            f"The run failed {self._when()}: {self.cause()}",
            instead_of_resuming or self._resume(),
        ]

    def cause(self) -> str:
        """Why a run failed, in a sentence or two."""
        said = self._said
        lost = [lost for lost in self.lost if not (lost.is_closed_on_failure and said)]
        died = "the " + " and the ".join(map(str, lost)) + " died" if lost else ""
        if died or said:
            return _sentence(f"{died}. The driver's error: {said}" if died and said else died or str(said))
        if self.returncode == 0:
            return "the driver ended without having finished the asked-for steps."
        if self.returncode is not None and self.returncode < 0:
            return f"the driver was killed by {signal.Signals(-self.returncode).name}."
        return f"the driver ended with exit code {self.returncode}."

    def _when(self) -> str:
        if self.status.run is None:
            return "before it began"
        return f"after step {self.progress.step}" if self.progress.step else "before the first step was finished"

    def _places(self) -> list[str]:
        if self.status.run is None:
            return []
        lines = [f"Log of the driver: {self.status.run.driver_log}"]
        if self.ray_logs is not None:
            lines.append(f"Logs of Ray and its workers: {self.ray_logs}")
        return lines

    def _resume(self) -> str:
        if self.status.run is None:
            return f"Try again: {command(self.argv)}"
        return f"To go on from the newest complete checkpoint: {command(self.argv)}"

    def _summary(self) -> list[str]:
        run, progress = self.status.run, self.progress
        lines = ["", f"Finished: {progress.step} steps in {duration(time.monotonic() - progress.began)}."]
        for key, (step, last) in progress.accuracy_last.items():
            first_step, first = progress.accuracy_first[key]
            before = f"{first:.3f} at step {first_step} -> " if step > first_step else ""
            lines.append(f"  validation accuracy  {before}{last:.3f} at step {step}   ({key})")
        if progress.correlation_min is not None:
            lines.append(f"  lowest correlation of rollout and actor probabilities  {progress.correlation_min:.4f}")
        if self.peak_memory:
            lines.append(f"  peak memory of all processes  {self.peak_memory / 1e9:.1f} GB")
        if run is not None:
            places = {"run directory": run.run_dir, "checkpoints": run.run_dir / "checkpoints"}
            places |= {"metrics": run.metrics_file, "logs": run.logs_dir}
            lines += [f"  {name:<14} {path}" for name, path in places.items()]
        return [*lines, f"Next, compare: {command(next_argv(self.argv))}"]


def command(argv: list[str]) -> str:
    return " ".join([COMMAND, shlex.join(argv)]).strip()


def next_argv(argv: list[str]) -> list[str]:
    """The same run with GRPO, or with GMPO where it was another algorithm; in a run directory of its own."""
    algorithm = next((a.removeprefix("algorithm=") for a in argv if a.startswith("algorithm=")), "gmpo")
    other = "grpo" if algorithm == "gmpo" else "gmpo"
    kept = [argument for argument in argv if not argument.startswith("algorithm=")]
    return [f"algorithm={other}", *(f"{a}-{other}" if a.startswith("run_dir=") else a for a in kept)]


def last_exception(log: Path) -> str | None:
    """The last line of `log` that names an exception, else its last line; None if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_END))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    lines = [_RAY_PREFIX.sub("", _COLOUR.sub("", line)).strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    exceptions = [line for line in lines if _EXCEPTION.fullmatch(line)]
    return next(iter(exceptions[-1:] or lines[-1:]), None)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
