"""Prompt and response against the room that the model, the rollout engine and the micro-batches have."""

from collections.abc import Iterator

from omegaconf import DictConfig

from gmpo_verl.data.embedded import is_embedded
from gmpo_verl.model_config import context_length
from gmpo_verl.trainer.preflight.batches import needs_reference
from gmpo_verl.trainer.preflight.model import model_config
from gmpo_verl.trainer.preflight.options import embedded_task

_ACTOR, _REF, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.ref", "actor_rollout_ref.rollout"


def check(config: DictConfig) -> Iterator[str]:
    prompt, response = config.data.max_prompt_length, config.data.max_response_length
    needed, rollout = prompt + response, config.actor_rollout_ref.rollout
    asked = f"data.max_prompt_length={prompt} and data.max_response_length={response} need {needed} tokens"
    room = _positions(config)
    if room is not None and needed > room:
        shorter = "response" if prompt < room else "prompt"
        left = max(1, room - (prompt if shorter == "response" else response))
        yield f"{asked}, but the model's context is {room}: write data.max_{shorter}_length={left} or less."
    if rollout.max_model_len is not None and needed > rollout.max_model_len:
        yield f"{asked}, but {_ROLLOUT}.max_model_len={rollout.max_model_len}: write {_ROLLOUT}.max_model_len={needed}."
    elif room is not None and rollout.max_model_len is not None and rollout.max_model_len > room:
        yield (
            f"{_ROLLOUT}.max_model_len={rollout.max_model_len} is more than the model's context: "
            f"write {_ROLLOUT}.max_model_len={room}."
        )
    longest = rollout.max_model_len or needed
    if not rollout.enable_chunked_prefill and rollout.max_num_batched_tokens < longest:
        yield (
            f"{_ROLLOUT}.max_num_batched_tokens={rollout.max_num_batched_tokens} is less than a sequence of {longest} "
            f"and {_ROLLOUT}.enable_chunked_prefill=false: write {_ROLLOUT}.max_num_batched_tokens={longest}."
        )
    for name, value, whole in (
        ("prompt_length", rollout.prompt_length, prompt),
        ("response_length", rollout.response_length, response),
    ):
        if value != whole:
            yield f"{_ROLLOUT}.{name}={value} contradicts data.max_{name}={whole}: write the latter only."
    yield from _token_budgets(config, needed)
    yield from _embedded(config)


def _positions(config: DictConfig) -> int | None:
    """The longest sequence of the model; None where that is not known."""
    if is_embedded(config.actor_rollout_ref.model.path):
        from gmpo_verl.data.arithmetic.warm_start import LONGEST_CONTEXT

        return LONGEST_CONTEXT
    return context_length(model_config(config) or {})


def _token_budgets(config: DictConfig, needed: int) -> Iterator[str]:
    actor, ref, rollout = (config.actor_rollout_ref[name] for name in ("actor", "ref", "rollout"))
    sequence_parallel = actor.get("ulysses_sequence_parallel_size", 1) or 1
    budgets = [
        (f"{_ACTOR}.ppo_max_token_len_per_gpu", actor.use_dynamic_bsz, actor.ppo_max_token_len_per_gpu),
        (
            f"{_ROLLOUT}.log_prob_max_token_len_per_gpu",
            rollout.log_prob_use_dynamic_bsz,
            rollout.log_prob_max_token_len_per_gpu,
        ),
    ]
    if needs_reference(config):
        budgets.append(
            (f"{_REF}.log_prob_max_token_len_per_gpu", ref.log_prob_use_dynamic_bsz, ref.log_prob_max_token_len_per_gpu)
        )
    for key, used, tokens in budgets:
        if used and tokens is not None and tokens * sequence_parallel < needed:
            yield (
                f"{key}={tokens} cannot hold one sequence of {needed} tokens: "
                f"write {key}={-(-needed // sequence_parallel)} or more."
            )


def _embedded(config: DictConfig) -> Iterator[str]:
    task = embedded_task(config)
    if task is None or not is_embedded(config.data.train_files):
        return
    if config.data.max_prompt_length < task.prompt_tokens:
        yield (
            f"data.max_prompt_length={config.data.max_prompt_length} is shorter than the embedded task's prompts: "
            f"write data.max_prompt_length={task.prompt_tokens}."
        )
    if config.data.max_response_length < task.response_tokens:
        yield (
            f"data.max_response_length={config.data.max_response_length} is shorter than the embedded task's answers: "
            f"write data.max_response_length={task.response_tokens}."
        )
