"""The trainer hears of actors that die while it waits; Ray is real."""

import os
import signal
import time

import pytest
import ray

from gmpo_verl.trainer.actor_watch import ActorWatch, LostActorError

pytestmark = pytest.mark.timeout(120)


@ray.remote(num_cpus=0)
class Part:
    def pid(self) -> int:
        return os.getpid()

    def work(self) -> None:
        time.sleep(1000)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    ray.init(address="local", num_cpus=1, include_dashboard=False, _temp_dir=f"/tmp/w{os.getpid()}")
    yield [Part.remote() for _ in range(3)]
    ray.shutdown()


def test_living_and_busy_actors_are_left_alone_and_a_dead_one_is_named(parts):
    pids = ray.get([part.pid.remote() for part in parts])
    parts[0].work.remote()  # cannot answer
    watch = ActorWatch({"training worker": parts[:1], "rollout server": parts[1:]}, seconds=0.05)
    for _ in range(40):
        watch()
        time.sleep(0.05)
    os.kill(pids[2], signal.SIGKILL)
    with pytest.raises(LostActorError, match="a rollout server was lost: "):
        _poll(watch)
    busy = ActorWatch({"training worker": parts[:1]}, seconds=0.05)
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(LostActorError, match="a training worker was lost: "):
        _poll(busy)


def _poll(watch):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        watch()
        time.sleep(0.05)
