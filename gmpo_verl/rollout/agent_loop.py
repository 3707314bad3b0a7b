"""verl's agent loop over a group: one tokenisation, one generation call, one grading call and one put a prompt."""

import asyncio
import logging
import random
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import hydra
import ray
import transfer_queue as tq
from verl.experimental.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.agent_loop import DictConfigWrap, ToolListWrap, _agent_loop_registry
from verl.trainer.ppo.v1.agent_loop_tq import (
    AgentLoopManagerTQ,
    AgentLoopWorkerTQ,
    apply_greedy_sampling_params,
)
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from gmpo_verl.rollout.queue_rows import queue_rows, tag_of
from gmpo_verl.rollout.response_rows import Group, graded_batch, output_of
from gmpo_verl.rollout.resuming import resumed
from gmpo_verl.rollout.together import Together

logger = logging.getLogger(__name__)

# The class inside Ray's wrapper; the wrapper itself refuses to be subclassed.
_AgentLoopWorkerTQ: Any = vars(AgentLoopWorkerTQ)["__ray_metadata__"].modified_class

SINGLE_TURN = "single_turn_agent"
GROUPS_A_CALL = 16  # at most, so that grading some, putting others and generating the rest go on at the same time
PARTITIONS = ("train", "val")  # of the transfer queue
_NOT_FIELDS = ("agent_name", "__rollout_n__", "__do_sample__")


class GroupAgentLoopWorker(_AgentLoopWorkerTQ):
    """Answers text prompts in a single turn a group at a time; everything else is verl's own, one by one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rollout = self.config.actor_rollout_ref.rollout
        self._by_groups = (
            rollout.name == "vllm"
            and not rollout.disaggregation.enabled
            and not rollout.full_determinism
            and type(self.llm_client) in (LLMServerClient, FullyAsyncLLMServerClient)
            and self.processor is None
            and not self.distillation_enabled
        )
        self._interruptible = isinstance(self.llm_client, FullyAsyncLLMServerClient)
        self._single_turn: Any = None
        # Groups come by the dozen, and what each costs in messages is most of what a short response costs.
        self._put_status = {name: Together(partial(_put_statuses, name)) for name in PARTITIONS}
        self._put_rows = {name: Together(partial(_put_rows, name), GROUPS_A_CALL) for name in PARTITIONS}
        self._graders = [
            Together(partial(_grade, worker), GROUPS_A_CALL) for worker in self.reward_loop_worker_handles or ()
        ]

    async def _run_prompt(
        self, prompt: dict[str, Any], sampling_params: dict[str, Any], trajectory: dict[str, Any], trace: bool = False
    ) -> None:
        if trajectory["validate"] and not self.config.actor_rollout_ref.rollout.val_kwargs.do_sample:
            sampling_params = dict(sampling_params)  # of val_kwargs, whose do_sample verl 0.9.1 does not look at
            apply_greedy_sampling_params(sampling_params)
        if not self._by_groups or prompt["agent_name"] != SINGLE_TURN or trace:
            return await super()._run_prompt(prompt, sampling_params, trajectory, trace)
        uid, partition = prompt["uid"], "val" if trajectory["validate"] else "train"
        await self._put_status[partition]((uid, "running"))
        try:
            await self._run_group(prompt, dict(sampling_params), trajectory["validate"], partition)
            status = "finished"
        except Exception:
            logger.exception("group of prompt %s", uid)
            status = "failure"
        await self._put_status[partition]((uid, status))

    async def _run_group(
        self, prompt: dict[str, Any], sampling_params: dict[str, Any], validate: bool, partition: str
    ) -> None:
        rollout = self.config.actor_rollout_ref.rollout
        n = prompt.get("__rollout_n__", rollout.val_kwargs.n if validate else rollout.n)
        if not validate and not prompt.get("__do_sample__", True):
            apply_greedy_sampling_params(sampling_params)
        shared = {name: value for name, value in prompt.items() if name not in _NOT_FIELDS}
        loop = self._loop()
        prompt_ids = await loop.ct_build_initial_tokens(list(prompt["raw_prompt"]))
        responses = await self._generate(prompt_ids, sampling_params, n)
        outputs = [output_of(loop, prompt_ids, response) for response in responses]
        await self._grade(outputs, shared)
        await self._put_rows[partition]((outputs, shared))

    def _loop(self) -> Any:
        """verl's single-turn agent loop, of which one serves all prompts: it keeps nothing of them."""
        if self._single_turn is None:
            self._single_turn = hydra.utils.instantiate(
                config=_agent_loop_registry[SINGLE_TURN],
                trainer_config=DictConfigWrap(config=self.config),
                server_manager=self.llm_client,
                tokenizer=self.tokenizer,
                processor=None,
                hf_model_type=self.hf_model_type,
                dataset_cls=self.dataset_cls,
                data_config=DictConfigWrap(self.config.data),
                tools=ToolListWrap(self.tools),
            )
        return self._single_turn

    async def _generate(self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int) -> list[TokenOutput]:
        """verl's `client.generate` for a group, which stays on one server and shares its prefix there."""
        if self._interruptible:
            sampling_params = sampling_params | {"max_tokens": self.config.actor_rollout_ref.rollout.response_length}
        request_id = uuid4().hex
        server_id, server = await self.llm_client._acquire_server(request_id, prompt_ids=prompt_ids)
        try:
            responses = await server.generate_group.remote(prompt_ids, sampling_params, n, self._interruptible)
        finally:
            self.llm_client._release_server(server_id, request_id=request_id)
        for response in responses:
            version = response.extra_fields.get("global_steps")
            response.extra_fields |= {"min_global_steps": version, "max_global_steps": version}
        if not self._interruptible:
            return responses
        rests = (resumed(self.llm_client, request_id, prompt_ids, sampling_params, begun) for begun in responses)
        return list(await asyncio.gather(*rests))

    async def _grade(self, outputs: list[AgentLoopOutput], shared: dict[str, Any]) -> None:
        if not self._graders:
            return
        results = await random.choice(self._graders)((outputs, shared))
        for output, result in zip(outputs, results, strict=True):
            output.reward_score = result["reward_score"]
            output.extra_fields["reward_extra_info"] = result["reward_extra_info"]


class GroupAgentLoopManager(AgentLoopManagerTQ):
    """Plugged in through `rollout.agent.agent_loop_manager_class`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(GroupAgentLoopWorker)


async def _put_statuses(partition: str, statuses: Sequence[tuple[str, str]]) -> list[None]:
    """Of prompts, each a key and what has become of it."""
    await tq.async_kv_batch_put(
        keys=[uid for uid, _ in statuses],
        tags=[{"status": status} for _, status in statuses],
        partition_id=partition,
    )
    return [None] * len(statuses)


async def _put_rows(partition: str, groups: Sequence[Group]) -> list[None]:
    await tq.async_kv_batch_put(
        keys=[f"{shared['uid']}_{session}_0" for outputs, shared in groups for session in range(len(outputs))],
        fields=queue_rows(groups),
        tags=[tag_of(output, shared) for outputs, shared in groups for output in outputs],
        partition_id=partition,
    )
    return [None] * len(groups)


async def _grade(worker: Any, groups: Sequence[Group]) -> list[list[dict[str, Any]]]:
    """The reward worker's results for each group."""
    results = iter(await worker.compute_score_batch.remote(graded_batch(groups)))
    return [[next(results) for _ in outputs] for outputs, _ in groups]
