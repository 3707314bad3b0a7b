"""What a response is in verl's agent loop, and to its reward workers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from torch.nn.utils.rnn import pad_sequence
from verl import DataProto
from verl.experimental.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
from verl.workers.rollout.replica import TokenOutput

Group = tuple[list[AgentLoopOutput], dict[str, Any]]  # responses to a prompt, and the prompt's fields


def output_of(loop: Any, prompt_ids: list[int], response: TokenOutput) -> AgentLoopOutput:
    """What verl's single-turn loop makes of a response.

    Raises:
        ValueError: the response has no token, and so no place for its score.
    """
    if not response.token_ids:
        raise ValueError("vLLM returned a response without a token")
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
        metrics=AgentLoopMetrics(),  # not put in the queue
        extra_fields=response.extra_fields | {"turn_scores": [], "tool_rewards": []},
    )


def graded_batch(groups: Sequence[Group]) -> DataProto:
    """One row a response, group after group, as verl's `_compute_score` makes it."""
    outputs = [output for responses, _ in groups for output in responses]
    prompts, prompt_mask = _padded([output.prompt_ids for output in outputs], "left")
    responses, response_mask = _padded([output.response_ids for output in outputs], "right")
    attention_mask = torch.cat([prompt_mask, response_mask], dim=1)  # its last columns are the response's
    tensors = {
        "prompts": prompts,
        "responses": responses,
        "input_ids": torch.cat([prompts, responses], dim=1),
        "attention_mask": attention_mask,
        "position_ids": (attention_mask.cumsum(1) - 1).clamp(min=0),
    }
    names = groups[0][1].keys()
    objects = {name: _column([_own(shared[name]) for group, shared in groups for _ in group]) for name in names}
    return DataProto(
        batch=TensorDict(tensors, batch_size=len(outputs)),
        non_tensor_batch=objects
        | {
            "__num_turns__": np.array([output.num_turns for output in outputs]),
            "tool_extra_fields": _column([output.extra_fields for output in outputs]),
            "prompt_len": np.array([len(output.prompt_ids) for output in outputs]),
            "response_len": np.array([len(output.response_ids) for output in outputs]),
        },
    )


def _padded(rows: Sequence[Sequence[int]], side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [B, L] with zeros at that side, and their mask of ones and zeros."""
    tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
    mask = [torch.ones_like(row) for row in tensors]
    return pad_sequence(tensors, True, 0, side), pad_sequence(mask, True, 0, side)


def _own(value: Any) -> Any:
    """A row's own copy of what verl's reward managers write into."""
    return dict(value) if isinstance(value, dict) else value


def _column(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
