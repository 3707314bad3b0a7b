"""`MODEL_DIR OUT_FILE`: give verl's actor on these ranks an optimizer with a past, and save its checkpoint.

The checkpoint goes to `OUT_FILE`'s folder as `by_<ranks>`; the file has the whole tensors of it.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from checkpoint_state import state_of
from engine_actor import EngineActor
from torch.distributed.tensor import distribute_tensor


def main(model: str, out: Path) -> None:
    engine = EngineActor(model).engine
    for step in range(2):
        torch.manual_seed(step)
        for parameter in engine.module.parameters():
            gradient = torch.randn(parameter.shape)
            parameter.grad = distribute_tensor(
                gradient, parameter.device_mesh, parameter.placements, src_data_rank=None
            )
        engine.optimizer.step()
        engine.lr_scheduler.step()
    engine.save_checkpoint(str(out.parent / f"by_{dist.get_world_size()}"), global_step=2)
    state = state_of(engine)
    if dist.get_rank() == 0:
        torch.save(state, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
