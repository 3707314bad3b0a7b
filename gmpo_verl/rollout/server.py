"""verl's vLLM server, asked for all responses of a prompt in one call."""

import asyncio
import multiprocessing
import os
from typing import Any
from uuid import uuid4

import ray
from verl.workers.rollout.replica import TokenOutput
from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer, vLLMReplica
from vllm.sampling_params import RequestOutputKind

from gmpo_verl.cpu.in_process_executor import use_in_process_executor
from gmpo_verl.fork_server.start import EXECUTABLE
from gmpo_verl.own_node import settle_in


class GroupHttpServer(vLLMHttpServer):
    """Adds `generate_group`; each response is a request of verl's own `generate`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if executable := os.environ.get(EXECUTABLE):
            multiprocessing.set_executable(executable)  # vLLM's engine is a fork of the server too
        settle_in()
        super().__init__(*args, **kwargs)

    def _preprocess_engine_kwargs(self, engine_kwargs: dict[str, Any]) -> None:
        super()._preprocess_engine_kwargs(engine_kwargs)
        size = self.config.tensor_model_parallel_size * self.config.pipeline_model_parallel_size
        use_in_process_executor(engine_kwargs, size * self.config.data_parallel_size)

    async def generate_group(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int, interruptible: bool
    ) -> list[TokenOutput]:
        """`n` responses to one prompt, in one Ray call, as token ids: verl uses no text.

        vLLM hands over a response once, at its end, unless it may be interrupted: verl's `abort_all_requests` waits up
        to a minute for the first output of every request.
        """
        kind = RequestOutputKind.CUMULATIVE if interruptible else RequestOutputKind.FINAL_ONLY
        options = sampling_params | {"output_kind": kind, "detokenize": False}
        return list(
            await asyncio.gather(*(self.generate(prompt_ids, dict(options), request_id=uuid4().hex) for _ in range(n)))
        )


class GroupReplica(vLLMReplica):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server_class = ray.remote(GroupHttpServer)
