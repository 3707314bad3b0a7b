"""What a response is in verl's agent loop, to its reward workers, and in the transfer queue."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tensordict import NonTensorStack, TensorDict
from torch.nn.utils.rnn import pad_sequence
from verl import DataProto
from verl.experimental.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
from verl.workers.rollout.replica import TokenOutput

# Of a text response's fields: empty, or a second copy, and read by neither verl's trainers nor a pass over the model.
UNREAD = frozenset(
    {
        "dummy_tensor",
        "interaction_kwargs",
        "metrics",
        "mm_processor_kwargs",
        "mm_processor_output",
        "multi_modal_data",
        "multi_modal_inputs",
        "prompt",
        "tools_kwargs",
    }
)
Group = tuple[list[AgentLoopOutput], dict[str, Any]]  # responses to a prompt, and the prompt's fields


def output_of(loop: Any, prompt_ids: list[int], response: TokenOutput) -> AgentLoopOutput:
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
        metrics=AgentLoopMetrics(),  # in `UNREAD`
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


def row_of(output: AgentLoopOutput, shared: dict[str, Any]) -> dict[str, Any]:
    """The fields of one response in the transfer queue, as verl's `_agent_loop_postprocess` writes them, less `UNREAD`.

    Half of verl's fields are objects, each of which is wrapped, pickled and unwrapped on its way: most of what a short
    response costs.
    """
    row = output.as_dict() | shared
    input_ids = torch.cat([row["prompts"], row["responses"]])
    row |= {"loss_mask": row["response_mask"], "input_ids": input_ids, "position_ids": torch.arange(len(input_ids))}
    return {name: value for name, value in row.items() if name not in UNREAD}


def batch_of(rows: Sequence[dict[str, Any]]) -> TensorDict:
    """The rows as verl's `list_of_dict_to_tensordict` joins them, in half its time."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return TensorDict({name: _joined(values) for name, values in columns.items()}, batch_size=len(rows))


def tag_of(row: dict[str, Any]) -> dict[str, Any]:
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


def _joined(values: list[Any]) -> Any:
    """A dense tensor, a jagged one, or a stack of objects."""
    if all(isinstance(value, torch.Tensor) for value in values):
        dense = all(value.shape == values[0].shape for value in values)
        return torch.stack(values) if dense else torch.nested.as_nested_tensor(values, layout=torch.jagged)
    if any(isinstance(value, list | tuple) for value in values):
        return NonTensorStack(*values)  # `from_list` would take them for further dimensions
    return NonTensorStack.from_list(values)
