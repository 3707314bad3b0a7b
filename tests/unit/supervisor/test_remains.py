"""What a killed supervisor left is removed, and nothing else."""

import json
import subprocess
import sys
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

import pytest

from gmpo_verl.supervisor.remains import Claim, remove_remains

CLAIM_AND_DIE = """
import os, sys
from pathlib import Path
from gmpo_verl.supervisor.remains import Claim
claim = Claim(Path(sys.argv[1]))
claim.note([(path, os.stat(path).st_ino) for path in sys.argv[2:]])
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def memory() -> "shared_memory.SharedMemory":
    memory = shared_memory.SharedMemory(create=True, size=16)
    resource_tracker.unregister(memory._name, "shared_memory")
    return memory


def dead_run(parent: Path, *files: str) -> Path:
    folder = parent / "gmpo-dead"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", CLAIM_AND_DIE, str(folder), *files], check=False, timeout=30)
    return folder


def test_the_folder_and_the_shared_memory_of_a_dead_run_are_removed(
    tmp_path: Path, memory: shared_memory.SharedMemory
) -> None:
    memory.close()
    outside = tmp_path / "outside"
    outside.touch()
    folder = dead_run(tmp_path, f"/dev/shm/{memory.name}", str(outside))
    assert remove_remains(tmp_path) == [folder]
    assert not Path("/dev/shm", memory.name).exists() and not folder.exists()
    assert outside.exists()


def test_shared_memory_that_is_still_in_use_keeps_everything(
    tmp_path: Path, memory: shared_memory.SharedMemory
) -> None:
    folder = dead_run(tmp_path, f"/dev/shm/{memory.name}")
    assert remove_remains(tmp_path) == []
    assert Path("/dev/shm", memory.name).exists() and folder.exists()
    memory.close()
    assert remove_remains(tmp_path) == [folder]


def test_a_living_run_and_folders_without_a_claim_are_kept(tmp_path: Path) -> None:
    for name in ("gmpo-alive", "gmpo-starting", "another"):
        (tmp_path / name).mkdir()
    claim = Claim(tmp_path / "gmpo-alive")
    claim.note([("/dev/shm/x", 1)])
    (tmp_path / "another" / "supervisor.lock").write_text("[]")
    assert remove_remains(tmp_path) == []
    assert json.loads((tmp_path / "gmpo-alive" / "supervisor.lock").read_text()) == [["/dev/shm/x", 1]]
    claim.release()
    assert remove_remains(tmp_path) == [tmp_path / "gmpo-alive"]
