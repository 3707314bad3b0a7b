"""A response resumed after its group's call is the one that verl's asynchronous client returns."""

import asyncio
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from verl.workers.rollout import llm_server
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient
from verl.workers.rollout.replica import TokenOutput

from gmpo_verl.rollout.resuming import resumed

LIMIT = 8  # tokens of a response
PROMPT = [1, 2, 3]


class Server:
    """Plays a script, tokens an attempt: each under the next version of the weights, all but the last interrupted."""

    def __init__(self, attempts: list[int], routed: bool) -> None:
        self.attempts, self.routed = list(enumerate(attempts)), routed
        self.last = len(attempts) - 1
        self.asked: list[tuple[list[int], int]] = []
        self.generate = self  # a Ray method is called through `.remote`

    async def remote(self, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any) -> TokenOutput:
        self.asked.append((prompt_ids, sampling_params["max_tokens"]))
        version, wanted = self.attempts.pop(0)
        count = min(wanted, sampling_params["max_tokens"])
        tokens = [10 * version + position for position in range(count)]
        interrupted = version < self.last
        return TokenOutput(
            token_ids=tokens,
            log_probs=[-0.1 * token for token in tokens] or None,
            routed_experts=np.arange(len(prompt_ids) + count) + 100 * version if self.routed and count else None,
            stop_reason="aborted" if interrupted else "completed",
            num_preempted=version or None,
            extra_fields={"global_steps": 5 + version} | ({"num_cached_tokens": version} if count else {}),
        )


class Client(FullyAsyncLLMServerClient):
    def __init__(self, server: Server) -> None:
        rollout = {"name": "vllm", "full_determinism": False, "response_length": LIMIT}
        super().__init__(OmegaConf.create({"actor_rollout_ref": {"rollout": rollout}}))
        self.server = server

    async def _acquire_server(self, request_id: str, **_: Any) -> tuple[str, Server]:
        return "server", self.server

    def _release_server(self, server_id: str, request_id: str | None = None) -> None:
        pass


async def by_verl(server: Server) -> TokenOutput:
    return await Client(server).generate("request", prompt_ids=PROMPT, sampling_params={"temperature": 1.0})


async def by_group(server: Server) -> TokenOutput:
    sampling_params = {"temperature": 1.0, "max_tokens": LIMIT}
    begun = await server.remote(PROMPT, sampling_params)
    version = begun.extra_fields["global_steps"]
    begun.extra_fields |= {"min_global_steps": version, "max_global_steps": version}
    return await resumed(Client(server), "request", PROMPT, sampling_params, begun)


def plain(output: TokenOutput) -> dict[str, Any]:
    """As a dictionary, `stop_reason` left out: nothing after the client reads it, and verl's own calls all full
    responses "length"."""
    fields = output.model_dump(exclude={"stop_reason"})
    fields["extra_fields"] = {"num_cached_tokens": None} | fields["extra_fields"]
    routed = fields["routed_experts"]
    return fields | {"log_probs": fields["log_probs"] or [], "routed_experts": None if routed is None else list(routed)}


@settings(max_examples=200)
@given(attempts=st.lists(st.integers(0, LIMIT), min_size=1, max_size=5), routed=st.booleans())
def test_it_is_verls_response_whatever_the_interruptions(attempts, routed):
    async def at_once(_: float) -> None:
        pass

    sleep, llm_server.asyncio.sleep = llm_server.asyncio.sleep, at_once
    try:
        verls, ours = Server(attempts, routed), Server(attempts, routed)
        assert plain(asyncio.run(by_group(ours))) == plain(asyncio.run(by_verl(verls)))
        assert ours.asked == verls.asked
    finally:
        llm_server.asyncio.sleep = sleep
