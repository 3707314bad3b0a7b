"""What a user sees while a run lasts: a progress bar on a terminal, one plain line a step elsewhere."""

import contextlib
import os
import sys
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from gmpo_verl.supervisor.progress import Progress, duration


class Display:
    """Shows stages, steps and closing lines. A reader that has gone (a closed pipe) does not stop the run."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        terminal = next((stream for stream in (self._out, self._err) if stream.isatty()), None)
        self._terminal = Console(file=terminal) if terminal is not None else None
        self._bar: ProgressBar | None = None
        self._last_step: int | None = None

    def line(self, text: str) -> None:
        """One line for the user, above the progress bar."""
        with contextlib.suppress(OSError, ValueError):
            if self._bar is not None:
                self._bar.console.print(text, markup=False, highlight=False)
            else:
                print(text, file=self._out, flush=True)

    def step(self, progress: Progress) -> None:
        """Show how far the run has come; plainly, and only if it has come further, where there is no terminal."""
        with contextlib.suppress(OSError, ValueError):
            if self._terminal is not None:
                self._draw(self._terminal, progress)
            elif progress.step != self._last_step and progress.step > 0:
                print(_describe(progress), file=self._out, flush=True)
            self._last_step = progress.step

    def close(self, lines: list[str], failed: bool) -> None:
        """End the progress bar and print the closing lines: to standard error if the run has failed."""
        with contextlib.suppress(OSError, ValueError):
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
        with contextlib.suppress(OSError, ValueError):
            if lines:
                print("\n".join(lines), file=self._err if failed else self._out, flush=True)
        for stream in (self._out, self._err):
            _forget_if_closed(stream)

    def _draw(self, terminal: Console, progress: Progress) -> None:
        if self._bar is None:
            columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = ProgressBar(*columns, console=terminal, auto_refresh=False)
            self._bar.add_task("", total=progress.total_steps)
            self._bar.start()
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=progress.step, total=progress.total_steps, description=_describe(progress))
        self._bar.refresh()


def _forget_if_closed(stream: TextIO) -> None:
    """Python's own flush of a stream whose reader has gone would turn the exit code into 120."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _describe(progress: Progress) -> str:
    parts = [f"step {progress.step}" + (f"/{progress.total_steps}" if progress.total_steps else "")]
    if progress.accuracy is not None:
        parts.append(f"accuracy {progress.accuracy:.3f}")
    if progress.reward is not None:
        parts.append(f"reward {progress.reward:.3f}")
    if progress.entropy is not None:
        parts.append(f"entropy {progress.entropy:.2f}")
    if progress.log_ratio_range is not None:
        parts.append("log ratio {:.2f} to {:.2f}".format(*progress.log_ratio_range))
    if progress.seconds_a_step is not None:
        parts.append(f"{progress.seconds_a_step:.1f} s a step")
    if progress.seconds_left:
        parts.append(f"{duration(progress.seconds_left)} left")
    return "  ".join(parts)
