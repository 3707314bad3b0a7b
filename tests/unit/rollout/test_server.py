"""What the vLLM server is asked for between rounds."""

import asyncio
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer, vLLMReplica

from gmpo_verl.rollout.server import GroupReplica


class Server:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sleep, self.wait_for_requests_to_drain = (
            SimpleNamespace(remote=lambda name=name: self._note(name)) for name in ("sleep", "drain")
        )

    async def _note(self, name: str) -> None:
        self.asked.append(name)


@pytest.mark.parametrize("free_cache_engine, asked", [(True, ["drain", "sleep"]), (False, [])])
def test_a_server_is_asked_to_sleep_only_where_it_would(free_cache_engine: bool, asked: list[str]) -> None:
    server = Server()
    replica: Any = object.__new__(GroupReplica)
    replica.config = SimpleNamespace(free_cache_engine=free_cache_engine)
    replica.servers = [server]
    asyncio.run(replica.sleep())
    assert server.asked == asked
    asyncio.run(vLLMReplica.sleep(replica))  # which asks in either case
    assert server.asked == [*asked, "drain", "sleep"]
    assert "not self.config.free_cache_engine" in inspect.getsource(vLLMHttpServer.sleep)
