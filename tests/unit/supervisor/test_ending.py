"""Exit codes and closing lines."""

from pathlib import Path

import pytest

from gmpo_verl.supervisor.ending import Ending, last_exception, next_argv
from gmpo_verl.supervisor.progress import Progress
from gmpo_verl.supervisor.roles import Lost
from gmpo_verl.supervisor.status import DriverStatus, RunStarted

RUN = RunStarted(Path("/nowhere"), 10)


@pytest.mark.parametrize(
    "status, more, code",
    [
        (DriverStatus(run=RUN, finished=True), {"returncode": 0}, 0),
        (DriverStatus(run=RUN, finished=True), {"returncode": -6}, 0),
        (DriverStatus(run=RUN, finished=True, error="late"), {"returncode": 1}, 1),
        (DriverStatus(run=RUN), {"returncode": 0}, 1),
        (DriverStatus(run=RUN), {"returncode": 134}, 1),
        (DriverStatus(run=RUN), {"returncode": -9}, 1),
        (DriverStatus(run=RUN), {"returncode": None, "lost": [Lost("raylet", 1)]}, 1),
        (DriverStatus(run=RUN), {"returncode": 2, "lost": [Lost("raylet", 1)]}, 1),
        (DriverStatus(run=RUN), {"returncode": 2}, 2),
        (DriverStatus(run=RUN), {"interrupted_by": 15, "returncode": 1}, 143),
        (DriverStatus(), {"returncode": 0}, 0),
        (DriverStatus(), {"returncode": 2}, 2),
        (DriverStatus(), {"returncode": -9}, 1),
        (DriverStatus(error="no"), {"returncode": 0}, 1),
    ],
)
def test_exit_code(status: DriverStatus, more: dict, code: int) -> None:
    ending = Ending([], status, Progress(), **more)
    ending.settle_cause()
    assert ending.exit_code == code
    assert ending.failed == (code != 0)
    if code == 1:
        assert any("failed" in line for line in ending.lines())


@pytest.mark.parametrize(
    "log, line",
    [
        ("INFO x\nray.exceptions.RayTaskError(ValueError): ray::f()\nKeyError: 'a'\nINFO bye\n", "KeyError: 'a'"),
        ("(TaskRunner pid=7, ip=1.2.3.4) \x1b[36mRuntimeError: boom\x1b[0m\n\n", "RuntimeError: boom"),
        ("INFO all quiet\n", "INFO all quiet"),
        ("", None),
    ],
)
def test_the_last_exception_of_a_log(tmp_path: Path, log: str, line: str | None) -> None:
    (tmp_path / "driver.log").write_text(log)
    assert last_exception(tmp_path / "driver.log") == line


def test_a_part_that_verl_closes_on_failure_is_not_named_as_the_cause() -> None:
    storage = Lost("transfer queue's storage", 7)
    ending = Ending([], DriverStatus(run=RUN, error="ValueError: boom"), Progress(), lost=[storage])
    ending.settle_cause()
    assert ending.lines()[-2].endswith("finished: ValueError: boom.")
    ending.status.error = None
    ending.settle_cause()
    assert "the transfer queue's storage (pid 7) died" in ending.lines()[-2]


def test_a_missing_log_has_no_exception(tmp_path: Path) -> None:
    assert last_exception(tmp_path / "driver.log") is None


def test_the_next_command_compares_with_another_algorithm_in_another_directory() -> None:
    assert next_argv(["algorithm=gmpo", "seed=1", "run_dir=out"]) == ["algorithm=grpo", "seed=1", "run_dir=out-grpo"]
    assert next_argv(["algorithm=grpo"]) == ["algorithm=gmpo"]
    assert next_argv([]) == ["algorithm=grpo"]
