"""Weights that verl puts aside stay as they were, on a CPU too. Importing this module makes it so.

verl's `separate_async` puts the weights of a round's beginning aside and takes the old log-probabilities of every
mini-batch from them. verl 0.9.1 (utils/fsdp_utils.py:1180) copies them with `.cpu()`, which on a CPU is no copy: the
weights put aside would train along, and every ratio against them would be 1.
"""

from typing import Any

import torch
from verl.utils import fsdp_utils

_save = fsdp_utils.fsdp2_sharded_save_to_cpu


def save_copies(model: torch.nn.Module) -> tuple[dict[str, Any], Any]:
    """verl's `fsdp2_sharded_save_to_cpu`, in memory of its own."""
    state, spec = _save(model)
    return {name: (weight.clone(), placement) for name, (weight, placement) in state.items()}, spec


fsdp_utils.fsdp2_sharded_save_to_cpu = save_copies
