"""Random mini-batches in float64, and the `gmpo` loss on them."""

from types import SimpleNamespace

import torch

from gmpo_verl.algorithms.policy_loss import gmpo_policy_loss
from gmpo_verl.algorithms.power_mean import Objective

FAMILY = {
    "gmpo": Objective(),
    "other window": Objective(clip_low=0.2, clip_high=0.8),
    "no clip": Objective(clip_level="none"),
    "sequence clip": Objective(clip_level="sequence"),
    "no length norm": Objective(length_norm=False),
    "sequence clip, no length norm": Objective(clip_level="sequence", length_norm=False),
    "grpo": Objective(mean_exponent=1.0),
    "grpo, no clip": Objective(mean_exponent=1.0, clip_level="none"),
    "hmpo": Objective(mean_exponent=-1.0),
    "exponent 2": Objective(mean_exponent=2.0),
    "exponent -0.5": Objective(mean_exponent=-0.5),
}

Batch = dict[str, torch.Tensor]


def actor_config(objective: Objective | None = None, **info: object) -> SimpleNamespace:
    """What the loss reads of verl's ActorConfig."""
    objective = objective or Objective()
    return SimpleNamespace(
        clip_ratio_low=objective.clip_low,
        clip_ratio_high=objective.clip_high,
        loss_scale_factor=info.pop("loss_scale_factor", None),
        policy_loss=SimpleNamespace(
            mean_exponent=objective.mean_exponent,
            clip_level=objective.clip_level,
            length_norm=objective.length_norm,
        ),
        global_batch_info=info,
    )


def random_batch(seed: int, rows: int = 6, tokens: int = 7, spread: float = 0.6) -> Batch:
    """Any mask (with holes), lengths from 0 to `tokens`, both signs of advantage and, in row 0, none."""
    generator = torch.Generator().manual_seed(seed)
    old = -torch.rand(rows, tokens, generator=generator, dtype=torch.float64) * 3
    log_prob = old + spread * torch.randn(rows, tokens, generator=generator, dtype=torch.float64)
    lengths = torch.randint(0, tokens + 1, (rows,), generator=generator)
    mask = (torch.arange(tokens) < lengths[:, None]) & (torch.rand(rows, tokens, generator=generator) < 0.8)
    advantages_B = torch.randn(rows, generator=generator, dtype=torch.float64)
    advantages_B[0] = 0.0
    return {"old": old, "log_prob": log_prob, "mask": mask, "advantages_B": advantages_B}


def full(batch: Batch) -> Batch:
    return batch | {"mask": torch.ones_like(batch["mask"])}


def loss_and_gradient(
    batch: Batch, config: SimpleNamespace, loss_agg_mode: str = "seq-mean-token-mean", **kwargs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    log_prob = batch["log_prob"].clone().requires_grad_()
    advantages = batch["advantages_B"][:, None] * batch["mask"]
    loss, _ = gmpo_policy_loss(batch["old"], log_prob, advantages, batch["mask"], loss_agg_mode, config, **kwargs)
    loss.backward()
    return loss.detach(), log_prob.grad
