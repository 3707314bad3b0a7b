"""A node's step with stand-ins: `slurm_step.py head|worker ADDRESS FOLDER SECONDS CODE`.

CODE is Python to run in the place of the training (head) or of Ray (worker).
"""

import importlib
import os
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

from slurm_job import SCRIPTS

sys.path.append(str(SCRIPTS))
head, worker = importlib.import_module("head"), importlib.import_module("worker")


def main(role: str, address: str, folder: str, seconds: str, code: str) -> int:
    os.environ["GMPO_NODES_SECONDS"] = seconds
    stand_in = [sys.executable, "-c", code]
    head.training_command = lambda overrides: [*stand_in, *overrides]
    worker.ray_command = lambda *arguments: stand_in
    worker.prepare_environment = lambda config: None
    config = SimpleNamespace(trainer=SimpleNamespace(default_local_dir=f"{folder}/checkpoints"))
    options = Namespace(address=address, folder=Path(folder), gpus=0, nodes=["n1"], overrides=["a b"])
    step = head.Head(options, config) if role == "head" else worker.Worker(options, config)
    code_of_step: int = step.run()
    return code_of_step


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
