"""How prompts and responses are dealt out: rounds, mini-batches, ranks, micro-batches."""

import math
from collections.abc import Iterator

from omegaconf import DictConfig

from gmpo_verl.config.nearest import one_of

_ACTOR, _REF, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.ref", "actor_rollout_ref.rollout"


def check(config: DictConfig) -> Iterator[str]:
    yield from _mini_batches(config)
    yield from _ranks(config)
    yield from _micro_batches(config)
    gen, train = config.data.gen_batch_size, config.data.train_batch_size
    if gen is not None and train % gen:
        yield (
            f"data.train_batch_size={train} cannot be filled from data.gen_batch_size={gen}: write "
            f"data.gen_batch_size={_nearest_divisors(train, gen)}, or null."
        )


def world_size(config: DictConfig) -> int:
    """Training processes: one a GPU."""
    return int(config.trainer.nnodes * config.trainer.n_gpus_per_node)


def rollout_gpus(config: DictConfig) -> int:
    """GPUs that rollouts have for themselves, beside those that train."""
    rollout = config.actor_rollout_ref.rollout
    return int(rollout.nnodes * rollout.n_gpus_per_node) if is_separate(config) else 0


def is_separate(config: DictConfig) -> bool:
    """Whether rollouts run beside the training, on GPUs of their own."""
    return bool(config.trainer.v1.trainer_mode == "separate_async")


def data_parallel_size(config: DictConfig) -> int:
    """Ranks that see different responses."""
    sequence_parallel = config.actor_rollout_ref.actor.get("ulysses_sequence_parallel_size", 1) or 1
    return max(1, world_size(config) // sequence_parallel)


def needs_reference(config: DictConfig) -> bool:
    """Whether a reference model is run."""
    return bool(
        config.algorithm.use_kl_in_reward or config.actor_rollout_ref.actor.use_kl_loss or config.trainer.kl_to_ref
    )


def _mini_batches(config: DictConfig) -> Iterator[str]:
    train, mini = config.data.train_batch_size, config.actor_rollout_ref.actor.ppo_mini_batch_size
    if mini > train:
        yield f"{_ACTOR}.ppo_mini_batch_size={mini} is more than data.train_batch_size={train}: write at most {train}."
    elif train % mini:
        # verl would fill the last mini-batch up with made-up padding responses.
        yield (
            f"data.train_batch_size={train} is not a multiple of {_ACTOR}.ppo_mini_batch_size={mini}: "
            f"write {_ACTOR}.ppo_mini_batch_size={_nearest_divisors(train, mini)}."
        )


def _ranks(config: DictConfig) -> Iterator[str]:
    rollout, ranks, world = config.actor_rollout_ref.rollout, data_parallel_size(config), world_size(config)
    mini = config.actor_rollout_ref.actor.ppo_mini_batch_size
    for key, prompts in (
        ("data.train_batch_size", config.data.train_batch_size),
        (f"{_ACTOR}.ppo_mini_batch_size", mini),
    ):
        if prompts * rollout.n % ranks:
            step = ranks // math.gcd(ranks, rollout.n)
            yield (
                f"{key}={prompts} times {_ROLLOUT}.n={rollout.n} cannot be dealt out to {ranks} ranks: "
                f"write a multiple of {step}."
            )
    engine = rollout.tensor_model_parallel_size * rollout.data_parallel_size * rollout.pipeline_model_parallel_size
    for gpus in {world, rollout_gpus(config) or world}:
        if gpus % engine:
            yield (
                f"{_ROLLOUT}.tensor_model_parallel_size={rollout.tensor_model_parallel_size} makes engines of "
                f"{engine} GPUs, "
                f"which {gpus} GPUs cannot be divided into: write {_nearest_divisors(gpus, engine)}."
            )
    sequence_parallel = config.actor_rollout_ref.actor.get("ulysses_sequence_parallel_size", 1) or 1
    if world % sequence_parallel:
        yield (
            f"{_ACTOR}.ulysses_sequence_parallel_size={sequence_parallel} does not divide {world} GPUs: "
            f"write {_nearest_divisors(world, sequence_parallel)}."
        )


def _micro_batches(config: DictConfig) -> Iterator[str]:
    actor, ref, rollout = (config.actor_rollout_ref[name] for name in ("actor", "ref", "rollout"))
    ranks = data_parallel_size(config)
    for key, node, name in (
        (f"{_ACTOR}.ppo_micro_batch_size", actor, "ppo_micro_batch_size"),
        (f"{_ROLLOUT}.log_prob_micro_batch_size", rollout, "log_prob_micro_batch_size"),
        (f"{_REF}.log_prob_micro_batch_size", ref, "log_prob_micro_batch_size"),
    ):
        if node.get(name) is not None:
            yield f"{key}={node[name]} is no longer read by verl: write {key}_per_gpu={node[name]} and {key}=null."
    per_update = actor.ppo_mini_batch_size * rollout.n // ranks
    # Rollouts of their own arrive a mini-batch at a time.
    per_pass = per_update if is_separate(config) else config.data.train_batch_size * rollout.n // ranks
    sized = [
        (
            f"{_ACTOR}.ppo_micro_batch_size_per_gpu",
            actor.ppo_micro_batch_size_per_gpu,
            actor.use_dynamic_bsz,
            per_update,
        ),
        (
            f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu",
            rollout.log_prob_micro_batch_size_per_gpu,
            rollout.log_prob_use_dynamic_bsz,
            per_pass,
        ),
    ]
    if needs_reference(config):
        sized.append(
            (
                f"{_REF}.log_prob_micro_batch_size_per_gpu",
                ref.log_prob_micro_batch_size_per_gpu,
                ref.log_prob_use_dynamic_bsz,
                per_pass,
            )
        )
    if bool(actor.use_dynamic_bsz) != bool(rollout.log_prob_use_dynamic_bsz):
        yield (
            f"{_ROLLOUT}.log_prob_use_dynamic_bsz has to equal {_ACTOR}.use_dynamic_bsz: write both true or both false."
        )
    for key, micro, dynamic, responses in sized:
        if dynamic:
            continue
        if micro is None:
            yield f"{key} is not set: write {key}={_nearest_divisors(responses, 32)}, or {_ACTOR}.use_dynamic_bsz=true."
        elif responses and responses % micro:
            yield (
                f"{key}={micro} does not divide the {responses} responses that a rank gets: "
                f"write {key}={_nearest_divisors(responses, micro)}."
            )


def _nearest_divisors(number: int, wanted: int) -> str:
    """The divisors of `number` next to `wanted` on either side."""
    divisors = [divisor for divisor in range(1, number + 1) if number % divisor == 0] or [1]
    below = [divisor for divisor in divisors if divisor <= wanted][-1:]
    above = [divisor for divisor in divisors if divisor > wanted][:1]
    return one_of(str(divisor) for divisor in [*below, *above])
