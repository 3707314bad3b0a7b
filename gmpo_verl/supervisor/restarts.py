"""`trainer.max_restarts`: whether a run that failed is started again, and after how long."""

import json
import re
import time
from pathlib import Path

from gmpo_verl.supervisor.ending import FAILURE, Ending

RESTART = "GMPO_RESTART"  # environment of the driver: the number of this restart
# A lost worker's memory and devices are free again after seconds; a node that reboots takes minutes.
_FIRST_WAIT_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 300.0


class Restarts:
    """Counts the restarts of one command."""

    def __init__(self) -> None:
        self.count = 0
        self._last_failure: tuple[int, str] | None = None  # step, cause

    def next_wait(self, ending: Ending) -> float | None:
        """Seconds until the next attempt, which this counts; None where there is none, and `why_not` may say why.

        What a user has caused or asked for is not repeated, nor what a guard has stopped.
        """
        self.why_not = ""
        run = ending.status.run
        if run is None or ending.exit_code != FAILURE or ending.asked_to_save or ending.unkillable:
            return None
        failure = ending.progress.step, re.sub(r"0x[0-9a-f]+|\d+", "#", ending.cause())  # without pids and addresses
        if run.max_restarts == 0:
            return None
        if ending.status.stopped_itself:
            self.why_not = "No restart: the run stopped itself."
        elif failure == self._last_failure:
            self.why_not = f"No restart: the same error came twice after step {ending.progress.step}."
        elif self.count >= run.max_restarts:
            self.why_not = f"No restart: trainer.max_restarts={run.max_restarts} are used up."
        if self.why_not:
            return None
        wait = min(_FIRST_WAIT_SECONDS * 2**self.count, _LONGEST_WAIT_SECONDS)
        self.count += 1
        self._last_failure = failure
        self._record(run.restarts, ending, wait, run.max_restarts)
        return wait

    def _record(self, file: Path, ending: Ending, wait: float, most: int) -> None:
        row = {"restart": self.count, "of": most, "after_step": ending.progress.step, "cause": ending.cause()}
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **row, "waits_seconds": wait}) + "\n")
