"""How responses are drawn, in training and in validation."""

from collections.abc import Iterator

from omegaconf import DictConfig

_ROLLOUT = "actor_rollout_ref.rollout"


def check(config: DictConfig) -> Iterator[str]:
    rollout = config.actor_rollout_ref.rollout
    if rollout.temperature <= 0:
        yield (
            f"{_ROLLOUT}.temperature={rollout.temperature} samples one response only: write {_ROLLOUT}.temperature=1.0."
        )
    for key, top_p in (
        (f"{_ROLLOUT}.top_p", rollout.top_p),
        (f"{_ROLLOUT}.val_kwargs.top_p", rollout.val_kwargs.top_p),
    ):
        if not 0 < top_p <= 1:
            yield f"{key}={top_p} is not a probability: write a value above 0 and at most 1."
    for key, top_k in (
        (f"{_ROLLOUT}.top_k", rollout.top_k),
        (f"{_ROLLOUT}.val_kwargs.top_k", rollout.val_kwargs.top_k),
    ):
        if top_k != -1 and top_k < 1:
            yield f"{key}={top_k} is not possible: write {key}=-1 for all tokens, or at least 1."
    validation = rollout.val_kwargs
    if validation.do_sample and validation.temperature <= 0:
        yield (
            f"{_ROLLOUT}.val_kwargs.temperature={validation.temperature} contradicts "
            f"{_ROLLOUT}.val_kwargs.do_sample=true: "
            f"write {_ROLLOUT}.val_kwargs.temperature=1.0, or do_sample=false."
        )
    if not validation.do_sample and validation.n > 1:
        yield (
            f"{_ROLLOUT}.val_kwargs.n={validation.n} repeats one greedy response: "
            f"write {_ROLLOUT}.val_kwargs.do_sample=true, or {_ROLLOUT}.val_kwargs.n=1."
        )
