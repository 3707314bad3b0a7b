"""Gloo groups of one rank share a device, and still do what groups do; a pair of ranks keeps its own."""

from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
import torch
from torch.distributed import HashStore, ProcessGroupGloo

from gmpo_verl.cpu import gloo_device

TIMEOUT = timedelta(seconds=30)


@pytest.fixture
def _shared(monkeypatch):
    monkeypatch.setattr(ProcessGroupGloo, "__init__", ProcessGroupGloo.__init__)  # put back afterwards
    gloo_device.share()
    gloo_device.share()


def groups(count: int) -> list[ProcessGroupGloo]:
    return [ProcessGroupGloo(HashStore(), 0, 1, timeout=TIMEOUT) for _ in range(count)]


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def new_threads(count: int) -> int:
    """How many threads as many groups of one rank bring along."""
    before, made = threads(), groups(count)
    assert len(made) == count
    return threads() - before


def sum_of(rank: int, store: HashStore, sums: dict[int, float]) -> None:
    group, number = ProcessGroupGloo(store, rank, 2, timeout=TIMEOUT), torch.tensor([rank + 1.0])
    group.allreduce([number]).wait()
    sums[rank] = number.item()


def test_every_group_has_a_thread_less(request):
    own = new_threads(12)
    request.getfixturevalue("_shared")
    assert new_threads(12) == own - 12  # the shared device was there before


@pytest.mark.usefixtures("_shared")
def test_groups_of_one_rank_reduce_and_keep_their_timeout():
    for group in groups(3):
        number = torch.tensor([2.0])
        group.allreduce([number]).wait()
        assert number.item() == 2
        assert group.options._timeout == TIMEOUT


@pytest.mark.usefixtures("_shared")
def test_two_ranks_find_each_other():
    store, sums = HashStore(), {}
    ranks = [Thread(target=sum_of, args=(rank, store, sums)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
    assert sums == {0: 3.0, 1: 3.0}
