"""The fields of responses in the transfer queue, as verl's `_agent_loop_postprocess` writes them, less `UNREAD`.

verl makes a dictionary of each response, and wraps, pickles and unwraps every object in it: most of what a short
response costs. Here a column is made of all responses at once, and a prompt's objects are wrapped once.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.experimental.agent_loop import AgentLoopOutput

from gmpo_verl.jagged import jagged
from gmpo_verl.rollout.response_rows import Group

# Of a text response's fields: empty, or a second copy, and read by neither verl's trainers nor a pass over the model.
UNREAD = frozenset(
    {
        "ability",
        "dummy_tensor",
        "extra_info",
        "global_steps",  # in the tag
        "index",
        "interaction_kwargs",
        "metrics",
        "mm_processor_kwargs",
        "mm_processor_output",
        "multi_modal_data",
        "multi_modal_inputs",
        "prompt",
        "session_id",  # in the key
        "tools_kwargs",
    }
)


def queue_rows(groups: Sequence[Group]) -> TensorDict:
    """One row a response, group after group."""
    outputs = [output for responses, _ in groups for output in responses]
    shared = {
        name: _joined([fields[name] for responses, fields in groups for _ in responses])
        for name in groups[0][1].keys() - UNREAD
    }
    own = {
        "num_turns": _joined([output.num_turns for output in outputs]),
        "extra_fields": _joined([output.extra_fields for output in outputs]),
    }
    return TensorDict(_tensors(outputs) | own | shared, batch_size=len(outputs))


def tag_of(output: AgentLoopOutput, shared: dict[str, Any]) -> dict[str, Any]:
    prompt_len, response_len = len(output.prompt_ids), len(output.response_ids)
    return {
        "status": "success",
        "prompt_len": prompt_len,
        "response_len": response_len,
        "seq_len": prompt_len + response_len,
        "global_steps": shared["global_steps"],
        "min_global_steps": output.extra_fields.get("min_global_steps"),
        "max_global_steps": output.extra_fields.get("max_global_steps"),
    }


def _tensors(outputs: Sequence[AgentLoopOutput]) -> dict[str, torch.Tensor]:
    prompts = [output.prompt_ids for output in outputs]
    responses = [output.response_ids for output in outputs]
    sequences = [prompt + response for prompt, response in zip(prompts, responses, strict=True)]
    mask = _ragged([output.response_mask for output in outputs], np.int64)
    tensors = {
        "prompts": _ragged(prompts, np.int64),
        "responses": _ragged(responses, np.int64),
        "response_mask": mask,
        "loss_mask": mask,
        "input_ids": _ragged(sequences, np.int64),
        "position_ids": _ragged([range(len(sequence)) for sequence in sequences], np.int64),
    }
    first = outputs[0]
    if first.response_logprobs is not None:
        tensors["rollout_log_probs"] = _ragged([output.response_logprobs or () for output in outputs], np.float32)
    if first.reward_score is not None:
        tensors["rm_scores"] = _ragged([_token_scores(output) for output in outputs], np.float32)
    if first.routed_experts is not None:
        tensors["routed_experts"] = _joined([output.as_dict()["routed_experts"] for output in outputs])
    return tensors


def _token_scores(output: AgentLoopOutput) -> list[float]:
    scores = [0.0] * len(output.response_ids)
    scores[-1] = output.reward_score or 0.0
    return scores


def _ragged(rows: Sequence[Sequence[float]], dtype: type[np.number]) -> torch.Tensor:
    """Numbers as a dense tensor [B, L], or a jagged one [B, L_i]."""
    lengths = [len(row) for row in rows]
    # Of a list of numbers, numpy makes an array in an eighth of the time that torch takes.
    values = torch.from_numpy(np.fromiter(chain.from_iterable(rows), dtype, sum(lengths)))
    if len(set(lengths)) == 1:
        return values.view(len(rows), lengths[0])
    return jagged(values, torch.tensor(lengths))


def _joined(values: list[Any]) -> Any:
    """A dense tensor, a jagged one, or a stack of objects, each of which is wrapped once however often it stands."""
    if all(isinstance(value, torch.Tensor) for value in values):
        dense = all(value.shape == values[0].shape for value in values)
        return torch.stack(values) if dense else torch.nested.as_nested_tensor(values, layout=torch.jagged)
    wrapped = {key: NonTensorData(value) for key, value in {id(value): value for value in values}.items()}
    return NonTensorStack(*(wrapped[id(value)] for value in values))
