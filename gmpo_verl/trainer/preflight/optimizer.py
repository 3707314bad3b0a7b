"""The optimizer's numbers."""

from collections.abc import Iterator

from omegaconf import DictConfig

_ACTOR = "actor_rollout_ref.actor"


def check(config: DictConfig) -> Iterator[str]:
    optim = config.actor_rollout_ref.actor.optim
    if optim.lr <= 0:
        yield f"{_ACTOR}.optim.lr={optim.lr} trains nothing: write a learning rate above 0, such as 1e-6."
    if optim.weight_decay < 0:
        yield f"{_ACTOR}.optim.weight_decay={optim.weight_decay} is negative: write a value of at least 0."
    betas = list(optim.get("betas") or [])
    if betas and (len(betas) != 2 or not all(isinstance(beta, int | float) and 0 <= beta < 1 for beta in betas)):
        yield (
            f"{_ACTOR}.optim.betas={betas} is not possible: write two values of at least 0 and below 1, as [0.9,0.999]."
        )
    if config.actor_rollout_ref.actor.get("grad_clip", 1.0) <= 0:
        yield (
            f"{_ACTOR}.grad_clip={config.actor_rollout_ref.actor.grad_clip} stops the gradient: "
            f"write {_ACTOR}.grad_clip=1.0."
        )
