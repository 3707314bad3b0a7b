"""Takes responses without an advantage out of a round's batch before the passes over the model."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from transformers import AutoConfig
from verl import DataProto
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils.seqlen_balancing import calculate_workload, get_seqlen_balanced_partitions

from gmpo_verl.jagged import jagged
from gmpo_verl.trainer.guards import TrainingStoppedError
from gmpo_verl.trainer.pruning import kept_rows, why_not_exact


def make_pruner(config: Any, ranks: int, warn: Callable[[str], None], queue: Any) -> "Pruner | None":
    """The pruner that `trainer.prune_zero_advantage` asks for (auto: where it is exact), None for none.

    Raises:
        TrainingStoppedError: asked for (true) where it would change the update.
    """
    asked = config.trainer.prune_zero_advantage
    if asked is False:
        return None
    model = config.actor_rollout_ref.model
    reason = why_not_exact(config, AutoConfig.from_pretrained(model.path, trust_remote_code=model.trust_remote_code))
    if reason is None:
        return Pruner(config, ranks, queue)
    if asked is True:
        raise TrainingStoppedError(
            f"trainer.prune_zero_advantage=true would change the update, because of {reason}: write auto or false"
        )
    warn(f"responses without an advantage stay in every pass over the model, because of {reason}")
    return None


class Pruner:
    """Makes the batch of a round smaller; the normaliser and the number of optimizer steps stay the whole round's.

    The kept responses are dealt out evenly to the round's optimizer steps: each enters once, with the weight 1 / (size
    of the full mini-batch) that it would have had.

    Args:
        config: of the run.
        ranks: that the batch is spread over.
        queue: the module `transfer_queue`, or what stands before it.
    """

    def __init__(self, config: Any, ranks: int, queue: Any) -> None:
        actor, rollout, ref = (config.actor_rollout_ref[role] for role in ("actor", "rollout", "ref"))
        self._config = config
        self._ranks = ranks
        self._queue = queue
        self._mini_batch = actor.ppo_mini_batch_size * rollout.n  # responses
        self._steps = 1
        self._update_rows, self._infer_rows = ranks, ranks
        if not actor.use_dynamic_bsz:  # a rank's rows are cut into whole micro-batches, in every pass
            self._update_rows *= actor.ppo_micro_batch_size_per_gpu
            sizes = (options.log_prob_micro_batch_size_per_gpu or 1 for options in (rollout, ref))
            self._infer_rows *= math.lcm(*sizes)
        self.metrics: dict[str, float] = {}  # of the latest round, over all its responses

    def prune(self, batch: Any) -> Any:
        """The part of the batch that the passes need, balanced over the ranks."""
        self._steps = len(batch) // self._mini_batch
        advantages, mask, widths, uids = self._advantages(batch)
        largest_B = (advantages.abs() * mask).amax(-1).numpy()
        multiple = math.lcm(self._steps * self._update_rows, self._infer_rows)
        kept = kept_rows(largest_B, uids.tolist(), mask.sum(-1).numpy(), multiple)
        self.metrics = {
            "gmpo/zero_advantage_frac": float((largest_B == 0).mean()),
            "gmpo/pruned_frac": 1 - len(kept) / len(batch),
        }
        if len(kept) == len(batch):
            return batch
        # verl's metrics look at the advantage of every response; those that stay get theirs from verl.
        left = sorted(set(range(len(batch))) - set(kept))
        lengths = widths[left]
        rows = jagged(torch.zeros(int(lengths.sum())), lengths)
        fields = {"advantages": rows, "returns": rows}
        keys, zeros = [batch.keys[row] for row in left], TensorDict(fields, batch_size=len(left))
        self._queue.kv_batch_put(keys=keys, partition_id=batch.partition_id, fields=zeros)
        return self._balanced(batch.select_keys([batch.keys[row] for row in kept]))

    def resized(self, update_actor: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The worker group's `update_actor`, its mini-batches as small as the batch; verl sets them to the full size.

        `global_batch_size`, which the loss divides by, stays the full one.
        """

        def update(batch: Any) -> Any:
            batch.extra_info["mini_batch_size"] = len(batch) // self._steps
            return update_actor(batch)

        return update

    def _advantages(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, np.ndarray]:
        """Advantages and response mask, [B, T] each; the responses' own widths; their prompts."""
        algorithm = self._config.algorithm
        data = self._queue.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=["uid", "response_mask", "rm_scores"]
        )
        widths = data["response_mask"].offsets().diff()
        uids = np.array(data.pop("uid").tolist(), dtype=object)
        rows = DataProto(batch=data.to_padded_tensor())
        rows.non_tensor_batch["uid"] = uids
        rows.batch["token_level_scores"] = rows.batch["token_level_rewards"] = rows.batch["rm_scores"]
        rows = compute_advantage_for_multi_trajectories(
            rows,
            batch_keys=batch.keys,
            adv_estimator=algorithm.adv_estimator,
            num_repeat=self._config.actor_rollout_ref.rollout.n,
            norm_adv_by_std_in_grpo=algorithm.norm_adv_by_std_in_grpo,
            config=algorithm,
        )
        return rows.batch["advantages"], rows.batch["response_mask"], widths, uids

    def _balanced(self, batch: Any) -> Any:
        if self._ranks == 1:
            return batch
        workload = calculate_workload(torch.tensor([tag["seq_len"] for tag in batch.tags], dtype=torch.int64))
        parts = get_seqlen_balanced_partitions(workload.tolist(), k_partitions=self._ranks, equal_size=True)
        batch.reorder([row for part in parts for row in part])
        return batch
