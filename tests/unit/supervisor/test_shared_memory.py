"""Which files in shared memory are a run's."""

import mmap
import multiprocessing
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gmpo_verl.supervisor import shared_memory
from gmpo_verl.supervisor.shared_memory import SharedMemoryWatch

ME = [psutil.Process()]


def test_new_files_in_use_are_removed_and_all_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    with (tmp_path / "old").open() as _:
        watch = SharedMemoryWatch(tmp_path)
        (tmp_path / "somebody else's").touch()
        (tmp_path / "sem.mapped one").write_bytes(bytes(4096))
        with (tmp_path / "sem.mapped one").open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), 4096)
        with (tmp_path / "opened").open("w"):
            watch.scan(ME)
        mapped.close()
        assert watch.remove() == [str(tmp_path / "opened"), str(tmp_path / "sem.mapped one")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "somebody else's"]


def test_a_named_semaphore_is_its_makers() -> None:
    watch = SharedMemoryWatch()
    semaphore = multiprocessing.get_context("spawn").Semaphore()
    path = f"/dev/shm/sem{semaphore._semlock.name.replace('/', '.')}"
    watch.scan(ME)
    assert (path, os.stat(path).st_ino) in watch.owned


def test_a_name_that_was_given_to_another_file_is_kept(tmp_path: Path) -> None:
    watch = SharedMemoryWatch(tmp_path)
    with (tmp_path / "name").open("w"):
        watch.scan(ME)
        (tmp_path / "new").touch()
        os.replace(tmp_path / "new", tmp_path / "name")
        assert watch.remove() == []
    assert (tmp_path / "name").exists()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for the name of a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_of_verls_sockets_only_the_new_ones_without_a_listener_are_removed(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "_SOCKETS", (short_path, shared_memory._SOCKETS[1]))
    names = [f"rl-colocate-zmq-01000000-replica-{n}-rank-0.sock" for n in range(3)]
    sockets = []
    for name in names:
        if name == names[1]:
            watch = SharedMemoryWatch(short_path / "none")
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].bind(str(short_path / name))
    sockets[0].close()
    sockets[1].close()
    assert watch.remove() == [str(short_path / names[1])]
    assert sorted(path.name for path in short_path.iterdir()) == [names[0], names[2]]
    sockets[2].close()
