"""Programs that run as the ranks of one process group, under torchrun."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

TIMEOUT = 600  # seconds, for what takes about 20


def run_on_one_and_two_ranks(program: str, model: Path, folder: Path) -> dict[int, Any]:
    """What `program MODEL_DIR OUT_FILE` saves, by the number of its ranks."""
    return run_on_ranks((1, 2), program, model, folder)


def run_on_ranks(numbers: Sequence[int], program: str, model: Path, folder: Path) -> dict[int, Any]:
    """The same for other numbers of ranks, all at once."""
    with ThreadPoolExecutor() as pool:
        runs = {ranks: pool.submit(_run, program, ranks, model, folder / f"{ranks}.pt") for ranks in numbers}
    return {ranks: run.result() for ranks, run in runs.items()}


def _run(program: str, ranks: int, model: Path, out: Path) -> Any:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    with subprocess.Popen(
        [*torchrun, program, str(model), str(out)],
        # On the CPU, in float32, also where there is a GPU; torchrun leaves a folder of logs in TMPDIR.
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(out.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
        finally:
            process.terminate()  # and torchrun ends its ranks
    assert process.returncode == 0, output
    return torch.load(out)


def relative_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()
