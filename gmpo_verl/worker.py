"""What verl's training workers import before they build anything (`actor_rollout_ref.model.external_lib`)."""

import torch

from gmpo_verl.patches import weight_socket

if not torch.cuda.is_available():
    import gmpo_verl.cpu.engine  # noqa: F401  makes the process group and registers the engine

weight_socket.install()
