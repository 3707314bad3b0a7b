"""What runs inside a grading process: its limits, and math-verify's comparison. Imports sympy, never torch or verl."""

import contextlib
import logging
import os
import resource
import signal
import sys

from gmpo_verl.rewards.equivalence import symbolic_verdict
from gmpo_verl.supervisor.prctl import tied_to

DEADLINE_SIGNAL = signal.SIGPROF  # what ITIMER_PROF sends


def initialize(owner_pid: int, memory_bytes: int) -> None:
    """Tie this process to its owner, bound its address space, and load sympy before the first deadline starts."""
    if not tied_to(owner_pid):
        os._exit(1)  # now: there is nobody to tell
    # The default action ends the process at once; pebble's handler waits for Python code to run, and sympy can stay
    # inside one big-integer operation for minutes.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(DEADLINE_SIGNAL, signal.SIG_DFL)
    # Integers beyond this many digits are hostile; converting them to text is quadratic.
    sys.set_int_max_str_digits(4300)
    with contextlib.suppress(ValueError, OSError):  # the owner's own limit is lower already
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # math-verify warns that its own timeouts are off and reports every answer it cannot parse.
    logging.disable(logging.CRITICAL)
    symbolic_verdict("(x+1)^2", ("x^2+2x+1",))  # loads sympy: text does not decide it


def identify() -> int:
    """This process's id: the first task of a process, answered once it is initialized."""
    return os.getpid()


def grade(answer: str, accepted: tuple[str, ...], deadline_s: float) -> bool | None:
    """The verdict, None where the comparison raised; at ``deadline_s`` DEADLINE_SIGNAL ends this process.

    The deadline is in seconds of processor time, because a busy machine must not turn right answers into wrong ones;
    and it is a signal without a Python handler, because that also ends a computation that never returns to Python.
    """
    signal.setitimer(signal.ITIMER_PROF, deadline_s)
    try:
        return symbolic_verdict(answer, accepted)
    except Exception:  # a small result: the traceback of a hostile answer may hold the answer many times
        return None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
