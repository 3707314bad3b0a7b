"""One rank of verl's actor worker: the gradient of ONE mini-batch, under several losses, cut in several ways.

    torchrun --nproc-per-node N engine_gradients.py MODEL_DIR OUT_FILE

Only the optimizer's step is replaced, by one that keeps the gradient and leaves the weights alone.
"""

import sys
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from engine_actor import ALGORITHMS, POLICY_LOSS, EngineActor, jagged, random_rows, this_ranks
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu

VERL = {name: ("algorithm=gmpo", f"{POLICY_LOSS}.loss_mode={name}") for name in ("geo_mean", "vanilla")}

# Named by the size of a micro-batch on a rank.
EQUAL_CUTS = {f"{size} responses": {"micro_batch_size_per_gpu": size} for size in (8, 4, 2, 1)}
UNEVEN_CUTS = {f"{size} tokens": {"max_token_len_per_gpu": size} for size in (60, 50)}
WHOLE = "8 responses"

PROMPT_LENGTHS = (3, 5, 4, 6, 3, 4, 5, 3)
RESPONSE_LENGTHS = (2, 9, 4, 44, 6, 3, 1, 7)
ADVANTAGES = (-1.0, 1.0, 0.0, 1.4, -0.6, -1.3, 0.8, 0.5)
EMPTY_RESPONSES = (6,)


class Result(NamedTuple):
    """What one update leaves."""

    gradient: torch.Tensor  # of all parameters, flat, before verl clips its norm
    pg_loss: float  # as verl reports it, over all micro-batches and ranks
    clip_fraction: float
    micro_batches: list[int]  # the number of responses in each, on this rank


class Actor(EngineActor):
    """verl's actor worker on this rank, with its share of the mini-batch."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        rows = random_rows(PROMPT_LENGTHS, RESPONSE_LENGTHS, ADVANTAGES, EMPTY_RESPONSES, self.vocabulary)
        self.batch = jagged(rows, this_ranks(range(len(ADVANTAGES))))

        self.kept_gradient = torch.empty(0)
        self.micro_batches: list[int] = []
        self.forward_step = self.engine.forward_step
        self.engine.forward_step = self._counting_forward_step
        self.engine.optimizer_step = self._keep_gradient

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
        return Result(self.kept_gradient, float(pg_loss), float(clip_fraction), self.micro_batches)

    def _counting_forward_step(self, micro_batch: TensorDict, **rest: Any) -> Any:
        self.micro_batches.append(len(micro_batch))
        return self.forward_step(micro_batch, **rest)

    def _keep_gradient(self) -> float:
        self.kept_gradient = self.gradient()
        return self.kept_gradient.norm().item()


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
