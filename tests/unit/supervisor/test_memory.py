"""The memory of several processes."""

import psutil

from gmpo_verl.supervisor.memory import PeakMemory


def test_the_peak_stays_and_is_measured_now_and_then_only() -> None:
    memory = PeakMemory()
    memory.sample([psutil.Process()])
    peak = memory.peak
    assert 0 < peak <= psutil.Process().memory_info().rss * 1.5
    memory.sample([psutil.Process()] * 100)
    assert memory.peak == peak


def test_a_process_that_has_gone_counts_nothing() -> None:
    process = psutil.Popen(["true"])
    process.wait()
    memory = PeakMemory()
    memory.sample([process])
    assert memory.peak == 0
