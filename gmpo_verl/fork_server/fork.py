"""What a fork of the server does to be the process that its client was asked to be."""

import contextlib
import fcntl
import multiprocessing
import os
import runpy
import sys
import types
from typing import NamedTuple

from gmpo_verl.fork_server.start import EXECUTABLE

_FLAGS = {"-B", "-E", "-I", "-S", "-s", "-u"}  # of Python, without meaning for a fork
_ABOVE = 1000  # file numbers that no starter uses


class Request(NamedTuple):
    """What a client was started with."""

    arguments: list[str]
    environment: dict[str, str]
    directory: str
    files: list[int]
    received: list[int]  # the same files in this process


def become(request: Request) -> None:
    """Take on the client's files, directory and environment."""
    above = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for file in request.received]
    for file in request.received:
        os.close(file)
    for file, number in zip(above, request.files, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # from the system, as in a new process; Python's own generator does so by itself


def run(arguments: list[str]) -> None:
    """Do what `python ARGUMENTS` does; returns, or raises SystemExit, at its end."""
    while arguments[0] in _FLAGS:
        arguments = arguments[1:]
    if arguments[0] == "-c":  # a child of multiprocessing's; its own are forks as well
        multiprocessing.set_executable(os.environ[EXECUTABLE])
        _take_rays_title()
        sys.argv = ["-c", *arguments[2:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(arguments[1], vars(main))
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def _take_rays_title() -> None:
    # The package, with which vLLM names its processes, looks for the place of the title beside an environment that has
    # moved by now; Ray's copy of it remembers.
    with contextlib.suppress(ImportError):
        import setproctitle
        from ray import _raylet

        setproctitle.setproctitle = vars(_raylet)["setproctitle"]
