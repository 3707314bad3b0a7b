"""What the command lines `evaluate` and `solve` share: options, exit codes, signals. Imports nothing heavy."""

import argparse
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.failure import EvaluationFailedError

_INTERRUPTED, _TERMINATED, _PIPE = (128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE))
LONGEST_ANSWER = 3000  # tokens: the paper's


def add_model_options(parser: argparse.ArgumentParser, top_p: float) -> None:
    """Options of sampling and of vLLM that both commands have."""
    parser.add_argument("--top-p", type=float, default=top_p, help=f"share of the distribution (default {top_p})")
    parser.add_argument("--top-k", type=int, default=-1, help="most likely tokens to draw from; -1: all (default)")
    parser.add_argument(
        "--max-tokens",
        type=int,
        help=f"of an answer (default {LONGEST_ANSWER}, or what the model's context leaves)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the drawn answers (default 0)")
    parser.add_argument(
        "--dtype", default="auto", help="auto (as the model is stored, default), float32, bfloat16, float16"
    )
    parser.add_argument("--tensor-parallel-size", type=int, default=1, help="GPUs that share one model (default 1)")
    parser.add_argument(
        "--gpu-memory-utilization", type=float, default=0.9, help="share of a GPU's memory (default 0.9)"
    )
    parser.add_argument("--trust-remote-code", action="store_true", help="run code that comes with the model")


def natural(text: str) -> int:
    """An argument that is a whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def call(command: Callable[[], int], after_interrupt: str = "") -> int:
    """Run a command; its exit code, with one sentence instead of a traceback for what a user can cause."""
    # Both are set, for a shell without job control starts background commands with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return command()
    except UserError as error:
        print(f"gmpo_verl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ngmpo_verl: stopped{'; ' if after_interrupt else ''}{after_interrupt}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            traceback.print_exc()
            return 1
        where = f" {error.filename}" if error.filename else " the folder of the results"
        print(
            f"gmpo_verl:{where} cannot be written ({error.strerror}): free some room or name another folder.",
            file=sys.stderr,
        )
        return 2
    except EvaluationFailedError as error:
        print(f"gmpo_verl: {error}", file=sys.stderr)
        return 1


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(_TERMINATED)
