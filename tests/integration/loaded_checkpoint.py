"""`MODEL_DIR OUT_FILE`: load each checkpoint `by_<ranks>` beside the file, and save what the actor then holds."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from checkpoint_state import state_of
from engine_actor import EngineActor


def main(model: str, out: Path) -> None:
    engine = EngineActor(model).engine
    states = {}
    for folder in sorted(out.parent.glob("by_*")):
        engine.load_checkpoint(str(folder))
        states[folder.name] = state_of(engine)
    if dist.get_rank() == 0:
        torch.save(states, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
