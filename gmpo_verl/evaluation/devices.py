"""Which devices a worker gets, and the environment that vLLM needs on them."""

import os
import subprocess
from dataclasses import dataclass

import psutil

from gmpo_verl.errors import UserError
from gmpo_verl.library_settings import QUIET, WITHOUT_COMPILER


@dataclass(frozen=True)
class Devices:
    """How many engines work side by side, and over how many devices each is cut. Raises UserError for bad numbers."""

    tensor_parallel_size: int = 1
    data_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9

    def __post_init__(self) -> None:
        for option, size in (
            ("--tensor-parallel-size", self.tensor_parallel_size),
            ("--data-parallel-size", self.data_parallel_size),
        ):
            if size < 1:
                raise UserError(f"{option} {size} is out of range: write 1 or more.")
        if not 0 < self.gpu_memory_utilization <= 1:
            raise UserError(
                f"--gpu-memory-utilization {self.gpu_memory_utilization} is out of range: "
                "write a share of the GPU's memory above 0 and up to 1."
            )

    def shares(self) -> list[list[str]]:
        """The visible GPUs of each worker; empty lists where there are none.

        Raises:
            UserError: more GPUs are asked for than there are.
        """
        visible, needed = visible_gpus(), self.tensor_parallel_size * self.data_parallel_size
        if not visible:
            return [[] for _ in range(self.data_parallel_size)]
        if needed > len(visible):
            raise UserError(
                f"--tensor-parallel-size {self.tensor_parallel_size} and --data-parallel-size "
                f"{self.data_parallel_size} need {needed} GPUs and {len(visible)} are visible: "
                "write a smaller number, or set CUDA_VISIBLE_DEVICES."
            )
        size = self.tensor_parallel_size
        return [visible[start : start + size] for start in range(0, needed, size)]


def visible_gpus() -> list[str]:
    """CUDA's devices as CUDA_VISIBLE_DEVICES would name them; asked of the driver, without importing torch."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() and name.strip() != "-1"]
    try:
        result = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    count = sum(line.startswith("GPU ") for line in result.stdout.splitlines())
    return [str(number) for number in range(count)]


def worker_environment(gpus: list[str], workers: int) -> dict[str, str]:
    """What a worker's environment adds to this one's; what the user has set stays."""
    defaults = QUIET | {
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",  # the model is on the disk by now
    }
    if not gpus:
        share = psutil.virtual_memory().available / 4 / workers
        defaults |= WITHOUT_COMPILER | {
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_CPU_KVCACHE_SPACE": str(int(min(16, max(1, share / 2**30)))),  # GiB
            "OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // workers)),
        }
    environment = {name: os.environ.get(name, value) for name, value in defaults.items()}
    return environment | ({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {})
