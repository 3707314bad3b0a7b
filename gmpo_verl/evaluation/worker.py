"""A process that generates answers: `python -m gmpo_verl.evaluation.worker PARENT_PID`.

Reads lines of JSON from its standard input: the engine's options, then the jobs (`jobs`). Writes events to its standard
output, a line each: `{"ready": true}` once the model is loaded, those of `Engine.events`, or `{"error": text}` as the
last. What libraries print goes to standard error.
"""

import json
import os
import sys
from typing import IO, Any

from gmpo_verl.cpu import vllm_distribution
from gmpo_verl.errors import named_reason
from gmpo_verl.evaluation.guard import guarded_group
from gmpo_verl.supervisor.prctl import tied_to


def main(parent: int) -> int:
    if not tied_to(parent):
        return 1
    with guarded_group(), _events_out() as out:
        try:
            _generate(out)
        except Exception as error:
            import traceback

            traceback.print_exc()
            _send(out, {"error": named_reason(error)})
            return 1
    return 0


def _generate(out: IO[str]) -> None:
    options = json.loads(sys.stdin.readline())
    # One process does everything: a killed evaluation leaves no engine behind, and requests are scheduled in the same
    # way each time.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    vllm_distribution.install()  # before vLLM looks for itself

    from gmpo_verl.evaluation.engine import Engine
    from gmpo_verl.evaluation.jobs import EngineOptions

    engine = Engine(EngineOptions(**options))
    _send(out, {"ready": True})
    for line in sys.stdin:
        engine.add(json.loads(line))
    for event in engine.events():
        _send(out, event)


def _events_out() -> IO[str]:
    """The standard output for events alone; what anybody prints from here on goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _send(out: IO[str], event: dict[str, Any]) -> None:
    out.write(json.dumps(event) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
