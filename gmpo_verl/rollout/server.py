"""verl's vLLM server, asked for all responses of a prompt in one call."""

import asyncio
from typing import Any
from uuid import uuid4

import ray
from verl.workers.rollout.replica import TokenOutput
from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer, vLLMReplica
from vllm.sampling_params import RequestOutputKind


class GroupHttpServer(vLLMHttpServer):
    """Adds `generate_group`; each response is a request of verl's own `generate`."""

    async def generate_group(self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int) -> list[TokenOutput]:
        """`n` responses to one prompt, in one Ray call.

        vLLM hands over a response once, at its end, and as token ids: verl uses neither the text nor what comes before
        the end.
        """
        options = sampling_params | {"output_kind": RequestOutputKind.FINAL_ONLY, "detokenize": False}
        return list(
            await asyncio.gather(*(self.generate(prompt_ids, dict(options), request_id=uuid4().hex) for _ in range(n)))
        )


class GroupReplica(vLLMReplica):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server_class = ray.remote(GroupHttpServer)
