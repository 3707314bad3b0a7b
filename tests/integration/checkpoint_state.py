"""What a training engine holds, as whole tensors."""

from typing import Any

import torch
from torch.distributed.tensor import DTensor


def state_of(engine: Any) -> dict[str, Any]:
    """The weights, the optimizer's moments and steps, and the learning rate's schedule."""
    schedule = {name: value for name, value in engine.lr_scheduler.state_dict().items() if name != "lr_lambdas"}
    optimizer = engine.optimizer.state_dict()
    return {
        "model": {name: _whole(value) for name, value in engine.module.state_dict().items()},
        "moments": {
            index: {name: _whole(value) for name, value in values.items()}
            for index, values in optimizer["state"].items()
        },
        "rates": [group["lr"] for group in optimizer["param_groups"]],
        "schedule": schedule,
        "random": torch.get_rng_state(),
    }


def _whole(value: torch.Tensor) -> torch.Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value.clone()
