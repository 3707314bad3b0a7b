"""The lines of a dry run on memory and disk."""

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight import devices
from gmpo_verl.trainer.preflight.batches import is_separate
from gmpo_verl.trainer.preflight.memory_estimate import ASSUMED_GPU, MemoryEstimate, estimate
from gmpo_verl.trainer.preflight.model_shape import ModelShape, model_shape


def memory_lines(config: DictConfig, rounds: int | None) -> dict[str, str]:
    """What an estimate says of a GPU's, a host's and a disk's memory; empty where there are no GPUs to speak of.

    Args:
        rounds: of the run, where that is known.
    """
    if config.trainer.device != "cuda":
        return {}
    if config.get("model_engine", "dp") != "dp":
        return {"memory": f"not estimated for model_engine={config.model_engine}"}
    shape = model_shape(config)
    if shape is None:
        return {"memory": "not estimated: the model's sizes are not known here"}
    gpu, assumed = _gpu_memory()
    numbers = estimate(config, shape, gpu)
    gpus = f"{gpu / 1e9:.0f} GB{' assumed' if assumed else ''}"
    where = " on the GPUs of their own" if is_separate(config) else ""
    lines = {
        "parameters": f"{shape.parameters / 1e9:.2f} billion",
        "memory a GPU": f"{numbers.peak / 1e9:.0f} GB of {gpus}, estimated"
        + (": TOO MUCH" if numbers.peak > gpu else ""),
        "  update": _sum(numbers.update),
        "  rollout": _sum(numbers.rollout) + where + f"; {_room(config, numbers)}",
    }
    if numbers.host:
        lines["memory a node"] = f"{numbers.host / 1e9:.0f} GB of the host, beside the processes"
    lines["disk"] = _disk(config, numbers, shape, rounds)
    return lines


def _gpu_memory() -> tuple[float, bool]:
    """Bytes of the smallest GPU here, and whether they are assumed because there is none."""
    import torch

    count = devices.gpu_count()
    if count == 0:
        return ASSUMED_GPU, True
    return min(float(torch.cuda.get_device_properties(index).total_memory) for index in range(count)), False


def _sum(parts: dict[str, float]) -> str:
    return f"{sum(parts.values()) / 1e9:.1f} GB = " + " + ".join(
        f"{name} {size / 1e9:.1f}" for name, size in parts.items()
    )


def _room(config: DictConfig, numbers: MemoryEstimate) -> str:
    data = config.data
    longest = data.max_prompt_length + data.max_response_length
    if numbers.cache_tokens < longest:
        return "vLLM's share does not hold the weights and one sequence"
    return f"an engine's cache holds {numbers.cache_tokens // longest} of the longest sequences"


def _disk(config: DictConfig, numbers: MemoryEstimate, shape: ModelShape, rounds: int | None) -> str:
    text = f"{numbers.checkpoint / 1e9:.0f} GB a checkpoint"
    frequency = config.trainer.save_freq
    if rounds is not None and frequency > 0:
        saved, keep = -(-rounds // frequency), config.trainer.keep_checkpoints
        # The best one besides, and the newest, which is complete before another goes.
        most = saved if keep is None else min(saved, keep + 2)
        which = f"all {saved}" if most == saved else f"{most} of {saved} at a time"
        text += f", {most * numbers.checkpoint / 1e9:,.0f} GB for {which}"
    return text + f"; {2 * shape.parameters / 1e9:.0f} GB the model in bf16"
