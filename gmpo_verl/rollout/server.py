"""verl's vLLM server, asked for all responses of a prompt in one call."""

import asyncio
import multiprocessing
import os
from typing import Any
from uuid import uuid4

import ray
from verl.workers.rollout.replica import TokenOutput
from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer, vLLMReplica
from vllm import SamplingParams, TokensPrompt
from vllm.sampling_params import RequestOutputKind

from gmpo_verl.cpu.in_process_executor import use_in_process_executor
from gmpo_verl.fork_server.start import EXECUTABLE
from gmpo_verl.own_node import settle_in
from gmpo_verl.rollout.one_request import one_request_params, token_outputs


class GroupHttpServer(vLLMHttpServer):
    """Adds `generate_group`: one request of vLLM, or verl's own `generate` for each response where that does more."""

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

        vLLM hands over responses once, at their end, unless they may be interrupted: verl's `abort_all_requests` waits
        up to a minute for the first output of every request.
        """
        kind = RequestOutputKind.CUMULATIVE if interruptible else RequestOutputKind.FINAL_ONLY
        options = sampling_params | {"output_kind": kind, "detokenize": False}
        if not (interruptible or self.lora_as_adapter or self._submission_paused):
            params = one_request_params(self.config, len(prompt_ids), options, n)
            if params is not None:
                return await self._generate_at_once(prompt_ids, params)
        return list(
            await asyncio.gather(*(self.generate(prompt_ids, dict(options), request_id=uuid4().hex) for _ in range(n)))
        )

    async def _generate_at_once(self, prompt_ids: list[int], params: SamplingParams) -> list[TokenOutput]:
        results = self.engine.generate(TokensPrompt(prompt_token_ids=prompt_ids), params, uuid4().hex)
        (result,) = [result async for result in results]
        return token_outputs(result, self.global_steps)


class GroupReplica(vLLMReplica):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server_class = ray.remote(GroupHttpServer)

    async def sleep(self) -> None:
        # verl drains the server and asks it to sleep, which it refuses without the option: two messages a round.
        if self.config.free_cache_engine:
            await super().sleep()
