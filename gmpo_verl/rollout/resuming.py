"""Interrupted responses of a group, generated on to their ends."""

from typing import Any

import numpy as np
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient
from verl.workers.rollout.replica import TokenOutput


async def resumed(
    client: FullyAsyncLLMServerClient,
    request_id: str,
    prompt_ids: list[int],
    sampling_params: dict[str, Any],
    begun: TokenOutput,
) -> TokenOutput:
    """A response to its end, as `FullyAsyncLLMServerClient.generate` would have returned it from the start.

    Its first attempt was one of a group's; the rest is one call of verl's client, which resumes as often as it takes.

    Args:
        sampling_params: of the first attempt, with the `max_tokens` of the whole response.
        begun: the first attempt's output, which says whether it was interrupted.
    """
    begun.num_preempted = begun.num_preempted or 0
    left = sampling_params["max_tokens"] - len(begun.token_ids)
    if begun.stop_reason not in ("aborted", "abort") or left <= 0:
        return begun
    rest = await client.generate(
        request_id,
        prompt_ids=[*prompt_ids, *begun.token_ids],
        sampling_params=sampling_params | {"max_tokens": left},
    )
    first = begun.extra_fields
    cached = first.get("num_cached_tokens")
    return TokenOutput(
        token_ids=[*begun.token_ids, *rest.token_ids],
        log_probs=[*(begun.log_probs or []), *(rest.log_probs or [])],
        routed_experts=_joined(begun, rest),
        stop_reason=rest.stop_reason,
        num_preempted=begun.num_preempted + (rest.num_preempted or 0),
        extra_fields=rest.extra_fields
        | {"min_global_steps": first["global_steps"]}
        | ({} if cached is None else {"num_cached_tokens": cached}),
    )


def _joined(begun: TokenOutput, rest: TokenOutput) -> Any:
    """Of the rest, which routes the prompt and the first tokens again, the new tokens alone."""
    if begun.routed_experts is None or rest.routed_experts is None or not rest.token_ids:
        return rest.routed_experts if begun.routed_experts is None else begun.routed_experts
    return np.concatenate([begun.routed_experts, rest.routed_experts[-len(rest.token_ids) :]])
