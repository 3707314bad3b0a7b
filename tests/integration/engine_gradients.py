"""One rank of verl's actor worker: the gradient of ONE mini-batch, under several losses, cut in several ways.

    torchrun --nproc-per-node N engine_gradients.py MODEL_DIR OUT_FILE

The worker, its FSDP2 engine and `partial(ppo_loss, config=...)` are verl's own, from composed configurations; only the
optimizer's step is replaced, by one that keeps the gradient and leaves the weights alone.
"""

import math
import sys
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker
from verl.workers.utils.losses import ppo_loss

from gmpo_verl.config.compose import compose, group_options

POLICY_LOSS = "actor_rollout_ref.actor.policy_loss"
# Every loss by what the command line says for it; an annealed exponent needs the trainer that counts the rounds.
CONSTANT_EXPONENT = (f"{POLICY_LOSS}.mean_exponent_end=null", f"{POLICY_LOSS}.mean_exponent_rounds=null")
ALGORITHMS = {name: (f"algorithm={name}",) for name in group_options("algorithm")}
ALGORITHMS["power_mean"] += CONSTANT_EXPONENT
VERL = {name: ("algorithm=gmpo", f"{POLICY_LOSS}.loss_mode={name}") for name in ("geo_mean", "vanilla")}

# Named by the size of a micro-batch on a rank.
EQUAL_CUTS = {f"{size} responses": {"micro_batch_size_per_gpu": size} for size in (8, 4, 2, 1)}
UNEVEN_CUTS = {f"{size} tokens": {"max_token_len_per_gpu": size} for size in (60, 50)}
WHOLE = "8 responses"

PROMPT_LENGTHS = (3, 5, 4, 6, 3, 4, 5, 3)
RESPONSE_LENGTHS = (2, 9, 4, 44, 6, 3, 1, 7)
ADVANTAGES = (-1.0, 1.0, 0.0, 1.4, -0.6, -1.3, 0.8, 0.5)
EMPTY_RESPONSE = 6  # one token that does not count: what verl fills a batch up with
LOG_RATIO_SPREAD = 0.6  # standard deviation, against a window of +-0.4: many tokens clip, on either side


class Result(NamedTuple):
    """What one update leaves."""

    gradient: torch.Tensor  # of all parameters, flat, before verl clips its norm
    pg_loss: float  # as verl reports it, over all micro-batches and ranks
    clip_fraction: float
    micro_batches: list[int]  # the number of responses in each, on this rank


class Actor:
    """verl's actor worker on this rank, with its share of the mini-batch."""

    def __init__(self, model: str) -> None:
        config = compose(["algorithm=gmpo", f"actor_rollout_ref.model.path={model}"])
        self.worker = ActorRolloutRefWorker(config.actor_rollout_ref, role="actor")
        self.worker.init_model()
        self.engine = self.worker.actor.engine
        share = len(ADVANTAGES) // dist.get_world_size()
        rows = range(dist.get_rank() * share, (dist.get_rank() + 1) * share)
        self.batch = mini_batch(rows, self.engine.model_config.hf_config.vocab_size)

        self.gradient = torch.empty(0)
        self.micro_batches: list[int] = []
        self.forward_step = self.engine.forward_step
        self.engine.forward_step = self._counting_forward_step
        self.engine.optimizer_step = self._keep_gradient

    def set_loss(self, overrides: tuple[str, ...]) -> None:
        actor_config = omega_conf_to_dataclass(compose(overrides).actor_rollout_ref.actor)
        self.worker.set_loss_fn(partial(ppo_loss, config=actor_config))

    def update(self, cut: dict[str, int]) -> Result:
        """One `update_actor` of the mini-batch."""
        batch = self.batch.clone()
        tu.assign_non_tensor(
            batch,
            global_batch_size=len(ADVANTAGES),
            mini_batch_size=len(ADVANTAGES),
            temperature=1.0,
            use_dynamic_bsz="max_token_len_per_gpu" in cut,
            **cut,
        )
        self.micro_batches = []
        metrics = tu.get(self.worker.update_actor(batch), "metrics")
        (pg_loss,), (clip_fraction,) = metrics["actor/pg_loss"], metrics["actor/pg_clipfrac"]
        return Result(self.gradient, float(pg_loss), float(clip_fraction), self.micro_batches)

    def _counting_forward_step(self, micro_batch: TensorDict, **rest: Any) -> Any:
        self.micro_batches.append(len(micro_batch))
        return self.forward_step(micro_batch, **rest)

    def _keep_gradient(self) -> float:
        parameters = self.engine.module.parameters()
        self.gradient = torch.cat([parameter.grad.full_tensor().flatten() for parameter in parameters])
        return self.gradient.norm().item()


def mini_batch(rows: range, vocabulary: int) -> TensorDict:
    """`rows` of the mini-batch as verl's trainer sends them: jagged, without padding."""
    generator = torch.Generator().manual_seed(1)
    fields: dict[str, list[torch.Tensor]] = {}
    for row, (prompt_length, length) in enumerate(zip(PROMPT_LENGTHS, RESPONSE_LENGTHS, strict=True)):
        tokens = torch.randint(vocabulary, (prompt_length + length,), generator=generator)
        mask = torch.full((length,), int(row != EMPTY_RESPONSE))
        # The untrained model is close to uniform over its vocabulary.
        old_log_probs = LOG_RATIO_SPREAD * torch.randn(length, generator=generator) - math.log(vocabulary)
        for name, values in (
            ("input_ids", tokens),
            ("position_ids", torch.arange(len(tokens))),
            ("prompts", tokens[:prompt_length]),
            ("responses", tokens[prompt_length:]),
            ("response_mask", mask),
            ("loss_mask", mask),
            ("old_log_probs", old_log_probs),
            ("advantages", ADVANTAGES[row] * mask),
        ):
            fields.setdefault(name, []).append(values)
    jagged = {
        name: torch.nested.as_nested_tensor([values[row] for row in rows], layout=torch.jagged)
        for name, values in fields.items()
    }
    return tu.get_tensordict(jagged, {})


def main(model: str, out: str) -> None:
    actor = Actor(model)
    cuts = {
        name: cut
        for name, cut in (EQUAL_CUTS | UNEVEN_CUTS).items()
        if cut.get("micro_batch_size_per_gpu", 0) <= len(actor.batch)
    }
    results = {}
    for loss, overrides in (ALGORITHMS | VERL).items():
        actor.set_loss(overrides)
        results[loss] = {name: actor.update(cut)._asdict() for name, cut in cuts.items()}
    if dist.get_rank() == 0:
        torch.save(results, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
