"""A group asked for at once gets what verl's own `generate` would get for each of its responses."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from vllm import RequestOutput, SamplingParams
from vllm.logprobs import Logprob
from vllm.outputs import CompletionOutput
from vllm.sampling_params import RequestOutputKind

from gmpo_verl.config.compose import compose
from gmpo_verl.rollout.one_request import one_request_params
from gmpo_verl.rollout.server import GroupHttpServer

PROMPT = [5, 6, 7]
OPTIONS = {"temperature": 0.7, "top_p": 0.9, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
FINISHED = ("stop", "length", "abort")


class Engine:
    """vLLM's, whose k-th response to a prompt is always the same."""

    def __init__(self) -> None:
        self.asked: list[SamplingParams] = []

    async def generate(self, prompt: Any, sampling_params: SamplingParams, request_id: str, **_: Any) -> Any:
        first = sum(params.n for params in self.asked)
        self.asked.append(sampling_params)
        outputs = [_response(first + index, sampling_params.logprobs) for index in range(sampling_params.n)]
        yield RequestOutput(request_id, None, prompt["prompt_token_ids"], None, outputs, True, num_cached_tokens=2)


def _response(k: int, logprobs: int | None) -> CompletionOutput:
    tokens = list(range(3, 4 + k))
    chosen = [{token: Logprob(-0.1 * token), 99: Logprob(-9.0)} for token in tokens]
    return CompletionOutput(
        0, "", tokens, None, chosen if logprobs is not None else None, finish_reason=FINISHED[k % len(FINISHED)]
    )


def server(**rollout: Any) -> Any:
    """A server without its processes."""
    config = compose([f"actor_rollout_ref.rollout.{name}={value}" for name, value in rollout.items()])
    made: Any = object.__new__(GroupHttpServer)
    vars(made).update(
        config=config.actor_rollout_ref.rollout,
        model_config=SimpleNamespace(processor=None, lora_rank=0, lora={}),
        engine=Engine(),
        global_steps=4,
        replica_rank=0,
        node_rank=0,
        _disaggregation_role=None,
        _submission_paused=False,
        _admitting=0,
    )
    made.config.max_model_len = 64
    return made


def both(n: int = 4, options: dict[str, Any] = OPTIONS, **rollout: Any) -> tuple[Any, Any]:
    """(outputs, engine) of the group asked for at once, and of verl's `generate` for each response."""
    at_once, alone = server(**rollout), server(**rollout)
    group = asyncio.run(at_once.generate_group(PROMPT, dict(options), n, False))
    final = {"output_kind": RequestOutputKind.FINAL_ONLY, "detokenize": False}
    singles = [asyncio.run(alone.generate(PROMPT, options | final, f"{k}")) for k in range(n)]
    return (group, at_once.engine), (singles, alone.engine)


@pytest.mark.parametrize(
    ("options", "rollout"),
    [
        (OPTIONS, {}),
        (OPTIONS | {"logprobs": False}, {}),
        ({"logprobs": True}, {"ignore_eos": True}),
        (OPTIONS, {"response_length": 500}),  # more than the model has room for
    ],
)
def test_it_is_what_verl_would_ask_for_and_return(options, rollout):
    (group, engine), (singles, verls) = both(options=options, **rollout)
    (asked,) = engine.asked
    assert asked.n == 4
    asked.n = 1
    assert all(str(each) == str(asked) for each in verls.asked)
    assert [output.model_dump() for output in group] == [output.model_dump() for output in singles]
    assert [output.stop_reason for output in group] == ["completed", "completed", "aborted", "completed"]


@pytest.mark.parametrize(
    ("n", "options", "rollout"),
    [
        (1, OPTIONS, {}),
        (4, OPTIONS | {"temperature": 0.0}, {}),  # greedy: vLLM takes one at a time
        (4, OPTIONS | {"max_tokens": 3}, {}),
        (4, OPTIONS, {"enable_rollout_routing_replay": True}),
        (4, OPTIONS, {"full_determinism": True}),
    ],
)
def test_what_verl_does_more_for_is_left_to_verl(n, options, rollout):
    assert one_request_params(server(**rollout).config, len(PROMPT), options, n) is None


def test_greedy_responses_are_asked_for_one_by_one():
    (group, engine), _ = both(options=OPTIONS | {"temperature": 0.0})
    assert len(group) == 4 and [params.n for params in engine.asked] == [1] * 4


def test_a_prompt_without_room_is_refused_as_verl_refuses_it():
    with pytest.raises(ValueError, match="leaves no room"):
        asyncio.run(server().generate_group([5] * 64, dict(OPTIONS), 4, False))


def test_at_a_closed_gate_verl_decides():
    waiting = server()
    waiting._submission_paused, waiting._rejecting = True, True
    outputs = asyncio.run(waiting.generate_group(PROMPT, dict(OPTIONS), 2, False))
    assert [output.stop_reason for output in outputs] == ["aborted"] * 2 and not waiting.engine.asked
