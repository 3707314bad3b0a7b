"""One rank of verl's actor worker: the updates of rounds whose responses without an advantage stay, or leave.

    torchrun --nproc-per-node N pruned_updates.py MODEL_DIR OUT_FILE

What leaves is `kept_rows`' choice, and a pruned round differs from a whole one as the trainer's do: fewer rows,
`mini_batch_size` smaller with them, `global_batch_size` not. First the optimizer's step is replaced by one that keeps
the gradient, so that all updates of a round are taken at the same weights; then it is verl's.
"""

import sys
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from engine_actor import ALGORITHMS, EngineActor, jagged, random_rows, this_ranks
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.utils.padding import response_from_nested

from gmpo_verl.trainer.actor_loss import PREFIX, ROW, actor_loss
from gmpo_verl.trainer.pruning import kept_rows

OPTIMIZER_STEPS = (1, 2)  # a round
LEARNING_RATE, WEIGHT_DECAY = 1e-4, 0.1
OPTIMIZER = [
    f"actor_rollout_ref.actor.optim.{option}"
    for option in (f"lr={LEARNING_RATE}", f"weight_decay={WEIGHT_DECAY}", "lr_warmup_steps=0")
]
MICRO_BATCH_TOKENS = 80

GROUPS = "aaabbbbbccccdeee"
PROMPT_LENGTHS = [{"a": 3, "b": 5, "c": 4, "d": 6, "e": 3}[group] for group in GROUPS]
RESPONSE_LENGTHS = (2, 9, 4, 44, 6, 3, 1, 7, 12, 5, 2, 8, 10, 3, 20, 6)
ADVANTAGES = (-1.0, 1.0, 0.4, 1.4, -0.6, 0.0, 0.8, -1.2, 0.7, -0.7, 1.1, -1.1, 0.9, -0.5, 1.0, -0.5)
EMPTY_RESPONSES = (6, 10)
# The groups that have an advantage. Their numbers of responses (16, 6, 3, 1, 0) are filled up to ranks x updates.
ROUNDS = {"none leaves": "abcde", "some leave": "bd", "most leave": "a", "all but one leave": "d", "all leave": ""}
LOSSES = {"gmpo": tuple(ROUNDS)} | dict.fromkeys(("grpo", "dr_grpo", "gspo"), ("some leave",))
TRAINING = ("all leave", "some leave", "all but one leave", "none leaves", "all leave")  # momentum carries on


class Actor(EngineActor):
    """verl's actor worker on this rank, which starts every round at the same weights unless it trains."""

    def __init__(self, model: str) -> None:
        super().__init__(model, *OPTIMIZER)
        self.gradients: list[torch.Tensor] = []
        self.verls_optimizer_step = self.engine.optimizer_step
        self.start = [weights.detach().clone() for weights in self.engine.module.parameters()]

    def updates(self, round_: str, steps: int, prunes: bool) -> dict[str, Any]:
        """The gradient of each of a round's updates, and which rows were chosen and which entered them."""
        self.engine.optimizer_step = self._keep_gradient
        self.gradients = []
        chosen, entered = self._update(round_, steps, prunes)
        return {"gradients": self.gradients, "chosen": chosen, "entered": entered}

    def training(self, prunes: bool) -> list[torch.Tensor]:
        """All parameters, flat, before and after each round of TRAINING."""
        self.engine.optimizer_step = self.verls_optimizer_step
        self.engine.optimizer.state.clear()
        with torch.no_grad():
            for weights, start in zip(self.engine.module.parameters(), self.start, strict=True):
                weights.copy_(start)
        path = [self._parameters()]
        for round_ in TRAINING:
            self._update(round_, 1, prunes)
            path.append(self._parameters())
        return path

    def old_log_probs(self, round_: str, prunes: bool) -> dict[int, torch.Tensor]:
        """`compute_log_prob` of this rank's share of a round: by row, of the response's tokens."""
        batch, _ = self._batch(round_, 1, prunes)
        tu.assign_non_tensor(batch, compute_loss=False, calculate_entropy=True)
        output = self.worker.compute_log_prob(batch)
        log_probs = response_from_nested(output["log_probs"], batch["response_mask"])
        return dict(zip(batch[ROW].tolist(), log_probs.unbind(), strict=True))

    def _update(self, round_: str, steps: int, prunes: bool) -> tuple[list[int], list[int]]:
        batch, chosen = self._batch(round_, steps, prunes)
        tu.assign_non_tensor(
            batch,
            global_batch_size=len(GROUPS) // steps,
            mini_batch_size=len(chosen) // steps,
            dataloader_kwargs={"shuffle": True},
        )
        metrics = tu.get(self.worker.update_actor(batch), "metrics")
        return chosen, metrics[f"{PREFIX}row"]

    def _batch(self, round_: str, steps: int, prunes: bool) -> tuple[TensorDict, list[int]]:
        """This rank's share of a round, and the rows that all ranks have."""
        advantages = [
            advantage if group in ROUNDS[round_] else 0.0 for group, advantage in zip(GROUPS, ADVANTAGES, strict=True)
        ]
        rows = random_rows(PROMPT_LENGTHS, RESPONSE_LENGTHS, advantages, EMPTY_RESPONSES, self.vocabulary)
        chosen = list(range(len(GROUPS)))
        if prunes:
            largest = np.array([values.abs().max() for values in rows["advantages"]])
            lengths = np.array([mask.sum() for mask in rows["response_mask"]])
            chosen = kept_rows(largest, GROUPS, lengths, steps * dist.get_world_size())
        batch = jagged(rows, this_ranks(chosen))
        batch[ROW] = torch.tensor(this_ranks(chosen))
        tu.assign_non_tensor(batch, temperature=1.0, use_dynamic_bsz=True, max_token_len_per_gpu=MICRO_BATCH_TOKENS)
        return batch, chosen

    def _keep_gradient(self) -> float:
        self.gradients.append(self.gradient())
        return self.gradients[-1].norm().item()

    def _parameters(self) -> torch.Tensor:
        return torch.cat([weights.detach().full_tensor().flatten() for weights in self.engine.module.parameters()])


def main(model: str, out: str) -> None:
    actor = Actor(model)
    results: dict[str, Any] = {"updates": {}}
    for loss, rounds in LOSSES.items():
        actor.set_loss(ALGORITHMS[loss], actor_loss)
        for key in product(rounds, OPTIMIZER_STEPS, (False, True)):
            results["updates"][loss, *key] = actor.updates(*key)
    actor.set_loss(ALGORITHMS["gmpo"], actor_loss)
    results["training"] = {prunes: actor.training(prunes) for prunes in (False, True)}
    results["old_log_probs"] = {prunes: actor.old_log_probs("some leave", prunes) for prunes in (False, True)}
    if dist.get_rank() == 0:
        torch.save(results, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
