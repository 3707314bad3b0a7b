"""The responses to a prompt as one request of vLLM, which looks at prompt and options once instead of once a response.

verl 0.9.1's `generate` (vllm_async_server.py:558) asks for one response and reads the first of the outputs; what it
does beyond that for single requests (adapters, replayed routes, speculative decoding) is left to it.
"""

from typing import Any

from verl.workers.rollout.replica import TokenOutput
from vllm import RequestOutput, SamplingParams
from vllm.outputs import CompletionOutput

_GREEDY = 1e-5  # temperatures below it are none for vLLM, which then refuses n > 1
_STOP_REASONS = {"stop": "completed", "length": "completed", "abort": "aborted"}
_VERLS_OWN = ("max_tokens", "max_new_tokens", "prompt_logprobs", "seed", "extra_args")


def one_request_params(config: Any, prompt_tokens: int, options: dict[str, Any], n: int) -> SamplingParams | None:
    """What to ask for n responses in one request; None where verl's own `generate` has more to do.

    Args:
        config: verl's rollout configuration, of which lengths and defaults are taken as verl takes them.
        options: of verl's agent loop, and how vLLM is to hand over.
    """
    room = config.max_model_len - prompt_tokens
    special = (
        config.enable_rollout_routing_replay
        or config.full_determinism
        or (config.mtp is not None and config.mtp.enable)
        or any(name in options for name in _VERLS_OWN)
    )
    if special or n == 1 or room < 1 or options.get("temperature", 1.0) < _GREEDY:
        return None
    length = min(config.response_length, config.prompt_length + config.response_length - prompt_tokens)
    defaults = {
        "repetition_penalty": config.get("repetition_penalty", 1.0),
        "ignore_eos": config.get("ignore_eos", False),
    }
    return SamplingParams(
        **defaults
        | options
        | {
            "n": n,
            "logprobs": 0 if options.get("logprobs") else None,
            "max_tokens": max(1, min(length, room)),
        }
    )


def token_outputs(result: RequestOutput, global_steps: int | None) -> list[TokenOutput]:
    """The responses of a finished request in verl's form; log-probs where they were asked for."""
    return [
        TokenOutput(
            token_ids=list(output.token_ids),
            log_probs=_log_probs(output),
            stop_reason=_STOP_REASONS.get(str(output.finish_reason), output.finish_reason),
            extra_fields={"global_steps": global_steps, "num_cached_tokens": result.num_cached_tokens},
        )
        for output in result.outputs
    ]


def _log_probs(output: CompletionOutput) -> list[float] | None:
    if output.logprobs is None:
        return None
    places: Any = output.logprobs  # a dictionary each, of the chosen token and others
    return [place[token].logprob for token, place in zip(output.token_ids, places, strict=True)]
