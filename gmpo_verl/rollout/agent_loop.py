"""verl's agent loop over a group: one tokenisation, one generation call, one grading call and one put a prompt."""

import asyncio
import logging
import random
import time
from typing import Any
from uuid import uuid4

import hydra
import numpy as np
import ray
import torch
import transfer_queue as tq
from tensordict import TensorDict
from torch.nn.utils.rnn import pad_sequence
from verl import DataProto
from verl.experimental.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, DictConfigWrap, ToolListWrap, _agent_loop_registry
from verl.trainer.ppo.v1.agent_loop_tq import (
    AgentLoopManagerTQ,
    AgentLoopWorkerTQ,
    apply_greedy_sampling_params,
)
from verl.utils.tensordict_utils import list_of_dict_to_tensordict
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from gmpo_verl.rollout.resuming import resumed

logger = logging.getLogger(__name__)

# The class inside Ray's wrapper; the wrapper itself refuses to be subclassed.
_AgentLoopWorkerTQ: Any = vars(AgentLoopWorkerTQ)["__ray_metadata__"].modified_class

SINGLE_TURN = "single_turn_agent"
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

    async def _run_prompt(
        self, prompt: dict[str, Any], sampling_params: dict[str, Any], trajectory: dict[str, Any], trace: bool = False
    ) -> None:
        if not self._by_groups or prompt["agent_name"] != SINGLE_TURN or trace:
            return await super()._run_prompt(prompt, sampling_params, trajectory, trace)
        uid, partition = prompt["uid"], "val" if trajectory["validate"] else "train"
        await tq.async_kv_put(key=uid, partition_id=partition, tag={"status": "running"})
        try:
            await self._run_group(prompt, dict(sampling_params), trajectory["validate"], partition)
            status = "finished"
        except Exception:
            logger.exception("group of prompt %s", uid)
            status = "failure"
        await tq.async_kv_put(key=uid, partition_id=partition, tag={"status": status})

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
        start = time.perf_counter()
        responses = await self._generate(prompt_ids, sampling_params, n)
        seconds = time.perf_counter() - start
        outputs = [_output(loop, prompt_ids, response, seconds) for response in responses]
        await self._grade(outputs, shared)
        rows = [_row(output, shared | {"session_id": session}) for session, output in enumerate(outputs)]
        await tq.async_kv_batch_put(
            keys=[f"{prompt['uid']}_{session}_0" for session in range(n)],
            fields=list_of_dict_to_tensordict(rows),
            tags=[_tag(row) for row in rows],
            partition_id=partition,
        )

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
        if self.reward_loop_worker_handles is None:
            return
        start = time.perf_counter()
        worker = random.choice(self.reward_loop_worker_handles)
        results = await worker.compute_score_batch.remote(_graded_batch(outputs, shared))
        seconds = time.perf_counter() - start
        for output, result in zip(outputs, results, strict=True):
            output.reward_score = result["reward_score"]
            output.extra_fields["reward_extra_info"] = result["reward_extra_info"]
            output.metrics.compute_score = seconds


class GroupAgentLoopManager(AgentLoopManagerTQ):
    """Plugged in through `rollout.agent.agent_loop_manager_class`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(GroupAgentLoopWorker)


def _output(loop: Any, prompt_ids: list[int], response: TokenOutput, seconds: float) -> AgentLoopOutput:
    """What verl's single-turn loop makes of a response."""
    builder, log_probs = loop.continuous_token_builder, response.log_probs or None
    merged = builder.merge_assistant_tokens(prompt_ids, response.token_ids)
    mask, log_probs = builder.align_response_metadata(
        merged, [], None if log_probs is None else [], assistant_logprobs=log_probs
    )
    split, limit = len(merged.token_ids) - len(mask), loop.response_length
    experts = response.routed_experts
    return AgentLoopOutput(
        prompt_ids=merged.token_ids[:split],
        response_ids=merged.token_ids[split:][:limit],
        response_mask=mask[:limit],
        response_logprobs=log_probs[:limit] if log_probs else None,
        routed_experts=None if experts is None else experts[: split + limit],
        multi_modal_data={},
        mm_processor_kwargs={},
        mm_processor_output=None,
        num_turns=2,
        metrics=AgentLoopMetrics(
            generate_sequences=seconds,
            num_preempted=-1 if response.num_preempted is None else response.num_preempted,
        ),
        extra_fields=response.extra_fields | {"turn_scores": [], "tool_rewards": []},
    )


def _graded_batch(outputs: list[AgentLoopOutput], shared: dict[str, Any]) -> DataProto:
    """One row a response, as verl's `_compute_score` makes it."""
    prompts = [torch.tensor(output.prompt_ids) for output in outputs]
    responses = [torch.tensor(output.response_ids, dtype=torch.int64) for output in outputs]
    input_ids = [torch.cat(parts) for parts in zip(prompts, responses, strict=True)]
    mask = [torch.ones_like(ids) for ids in input_ids]
    tensors = {
        "prompts": prompts,
        "responses": responses,
        "input_ids": input_ids,
        "attention_mask": mask,
        "position_ids": [torch.arange(len(ids)) for ids in input_ids],
    }
    rows = len(outputs)
    objects = {name: _column([_own(value) for _ in range(rows)]) for name, value in shared.items()}
    return DataProto(
        batch=TensorDict({name: pad_sequence(values, True) for name, values in tensors.items()}, batch_size=rows),
        non_tensor_batch=objects
        | {
            "__num_turns__": np.array([output.num_turns for output in outputs]),
            "tool_extra_fields": _column([output.extra_fields for output in outputs]),
            "prompt_len": np.array([len(output.prompt_ids) for output in outputs]),
            "response_len": np.array([len(output.response_ids) for output in outputs]),
        },
    )


def _own(value: Any) -> Any:
    """A row's own copy of what verl's reward managers write into."""
    return dict(value) if isinstance(value, dict) else value


def _column(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _row(output: AgentLoopOutput, shared: dict[str, Any]) -> dict[str, Any]:
    """The fields of one response in the transfer queue, as verl's `_agent_loop_postprocess` writes them."""
    row = output.as_dict() | shared
    row.pop("multi_modal_data", None)
    input_ids = torch.cat([row["prompts"], row["responses"]])
    return row | {
        "loss_mask": row["response_mask"],
        "input_ids": input_ids,
        "position_ids": torch.arange(len(input_ids)),
        "multi_modal_inputs": {},
    }


def _tag(row: dict[str, Any]) -> dict[str, Any]:
    prompt_len, response_len = len(row["prompts"]), len(row["responses"])
    return {
        "status": "success",
        "prompt_len": prompt_len,
        "response_len": response_len,
        "seq_len": prompt_len + response_len,
        "global_steps": row["global_steps"],
        "min_global_steps": row["extra_fields"].get("min_global_steps"),
        "max_global_steps": row["extra_fields"].get("max_global_steps"),
    }
