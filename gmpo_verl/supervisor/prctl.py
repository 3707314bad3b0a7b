"""The two Linux process controls a run needs: adopting orphans, and dying with one's parent."""

import ctypes
import os
import signal
import sys

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

SUPERVISOR_PID = "GMPO_SUPERVISOR_PID"


def become_subreaper() -> None:
    """Make this process the new parent of every orphan among its descendants, so that none can escape it.

    Raises OSError where the kernel refuses.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its supervisor dies, however that happens. The driver calls it first.

    Ray's own processes are bound to the driver in the same way, and Ray's workers to them. Without a supervisor (no
    GMPO_SUPERVISOR_PID in the environment) nothing is done.
    """
    supervisor = os.environ.get(SUPERVISOR_PID)
    if supervisor is None:
        return
    if not tied_to(int(supervisor)):
        sys.exit(1)


def tied_to(parent: int) -> bool:
    """Have the kernel kill this process when the thread that started it ends; False where `parent` is dead already.

    Raises OSError where the kernel refuses.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent  # it may have died before the line above took effect


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(argument) for argument in (value, 0, 0, 0)]
    if libc.prctl(ctypes.c_int(option), *arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
