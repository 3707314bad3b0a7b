"""One node of a Slurm job, for as long as its step lasts; train.sbatch starts it.

    node.py head [options] -- OVERRIDES     Ray's head, if there are other nodes, and the training; its exit code
    node.py worker [options] -- OVERRIDES   a node of the head's Ray cluster, until the head has gone
    node.py clean [options] --              removes what a killed step has left on the node

It leaves nothing on the node, whatever ends first.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from environment import drop_other_makers
from head import Head, training_command
from ray_start import ray_command
from worker import Worker

from gmpo_verl.config.compose import compose
from gmpo_verl.errors import UserError
from gmpo_verl.supervisor.remains import remove_remains
from gmpo_verl.supervisor.temp_dir import parent_of_temp_dirs


def main(arguments: Sequence[str]) -> int:
    at = list(arguments).index("--")
    options = _parser().parse_args(arguments[:at])
    options.overrides = list(arguments[at + 1 :])
    if options.role == "clean":
        remove_remains(parent_of_temp_dirs())
        return 0
    code = _run(options)
    if options.role == "head" and not options.show:
        # For the batch script, which Slurm may not tell.
        (options.folder / "exit_code").write_text(f"{code}\n")
    return code


def _run(options: argparse.Namespace) -> int:
    try:
        config = compose(options.overrides)
    except UserError as error:
        if options.role == "head":
            print(f"gmpo_verl: {error}", file=sys.stderr)
        return 2
    if options.show:
        return _show(options, config)
    drop_other_makers()
    role = Head(options, config) if options.role == "head" else Worker(options, config)
    return role.run()


def _show(options: argparse.Namespace, config: Any) -> int:
    if options.role == "worker" or len(options.nodes) > 1:
        host = options.address.rpartition(":")[0]
        own = host if options.role == "head" else "ADDRESS"
        name = options.nodes[0] if options.role == "head" else "NODE"
        ray = ray_command(options.role, options.address, own, name, options.gpus, Path("FOLDER"), config)
        print(shlex.join(ray))
    if options.role == "head":
        joins = f"RAY_ADDRESS={options.address} " if len(options.nodes) > 1 else ""
        print(joins + shlex.join(training_command(options.overrides)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="node.py")
    parser.add_argument("role", choices=("head", "worker", "clean"))
    parser.add_argument("--address", default="", help="HOST:PORT of the head's Ray; empty where there is one node")
    parser.add_argument("--gpus", type=int, default=0, help="that the job has on each node")
    parser.add_argument("--folder", type=Path, required=True, help="for what is said to and by the batch script")
    parser.add_argument("--nodes", type=lambda text: text.split(","), default=[], help="all nodes by name")
    parser.add_argument("--show", action="store_true", help="print the commands that would run, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
