"""Loaded in the training workers beside `gmpo_verl.worker`: what a worker holds once it has loaded a checkpoint.

It goes to `loaded_<rank>.pt` in the run directory.
"""

from pathlib import Path
from typing import Any

import torch

from gmpo_verl.patches import checkpoint_loading

_load_checkpoint = checkpoint_loading.CheckpointManager.load_checkpoint


def load_checkpoint(self: Any, local_path: str, *args: Any, **kwargs: Any) -> None:
    _load_checkpoint(self, local_path, *args, **kwargs)
    state = {"model": self.model.state_dict(), "optim": self.optimizer.state_dict()}
    torch.save(state, Path(local_path).parents[2] / f"loaded_{self.rank}.pt")


checkpoint_loading.CheckpointManager.load_checkpoint = load_checkpoint
