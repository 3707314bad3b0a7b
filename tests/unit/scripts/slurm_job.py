"""A batch script as Slurm would run it, without Slurm: `srun` runs a step here, and `scontrol` is a stand-in too."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "slurm"

# A step's command is what follows srun's options; its output goes where srun would send it.
_SRUN = """#!/usr/bin/env bash
output=/dev/stdout
while [[ $1 == --* ]]; do
    [[ $1 != --output=* ]] || output=${1#--output=}
    shift
done
exec "$@" >>"${output//%N/others}"
"""
_SCONTROL = """#!/usr/bin/env bash
case $1 in
    show) printf '%s\\n' ${3//,/ } ;;
    requeue) echo "$2" >>requeued; exit "${SCONTROL_EXIT:-0}" ;;
esac
"""
# In the place of Python and node.py: writes down how it was called, and does what STEP says.
_PYTHON = """#!{python}
import json, os, sys, time
role = sys.argv[2]
token = os.environ.get("RAY_AUTH_TOKEN_PATH")
seen = {{"argv": sys.argv[1:], "token_mode": token and oct(os.stat(token).st_mode & 0o777), "cwd": os.getcwd()}}
open(f"{{role}}.json", "w").write(json.dumps(seen))
folder = next((a for a in sys.argv if a.startswith("--folder=")), "").removeprefix("--folder=")
print("hello from", role, flush=True)
if role in ("worker", "clean"):
    sys.exit(0)
try:
    exec(os.environ.get("STEP", ""))
except SystemExit as end:
    if folder:
        open(f"{{folder}}/exit_code", "w").write(str(end.code))
    raise
if folder:
    open(f"{{folder}}/exit_code", "w").write("0")
"""


class FakeJob:
    """A job of these nodes, submitted from `folder`."""

    def __init__(self, folder: Path, python: str, nodes: Sequence[str] = ("n1",), **environment: str) -> None:
        self.folder = folder
        programs = folder / "programs"
        programs.mkdir(exist_ok=True)
        for name, text in {"srun": _SRUN, "scontrol": _SCONTROL, "python": _PYTHON.format(python=python)}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        unset = ("SLURM_", "GMPO_", "RAY_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)} | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "GMPO_HOME": str(SCRIPTS.parents[1]),
            "GMPO_PYTHON": str(programs / "python"),
            "GMPO_INTERFACE": "lo",
            "SLURM_JOB_ID": "17",
            "SLURM_JOB_NODELIST": ",".join(nodes),
            **environment,
        }

    def start(self, script: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", str(SCRIPTS / script), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        process = self.start(script, *arguments)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def step(self, role: str) -> dict[str, object]:
        """How the step of this role was called."""
        seen: dict[str, object] = json.loads((self.folder / f"{role}.json").read_text())
        return seen

    @property
    def requeued(self) -> str:
        file = self.folder / "requeued"
        return file.read_text().strip() if file.exists() else ""
