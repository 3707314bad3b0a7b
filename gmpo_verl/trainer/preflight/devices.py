"""What the machine has against what the configuration asks of it."""

import os
from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.trainer.preflight.absent import Absent
from gmpo_verl.trainer.preflight.batches import rollout_gpus, world_size
from gmpo_verl.trainer.ray_cluster import names_a_cluster

_ACTOR, _REF = "actor_rollout_ref.actor", "actor_rollout_ref.ref"
_ROLLOUT, _MODEL = "actor_rollout_ref.rollout", "actor_rollout_ref.model"
_HALF = ("fp16", "float16", "half", "torch.float16")
_WORKER = "gmpo_verl.worker"
# verl reserves so many CPUs beside each GPU (max_colocate_count: single_controller/ray/base.py, and
# workers/rollout/replica.py for rollouts of their own), each storage unit of TransferQueue takes one more.
CPUS_PER_WORKER, CPUS_PER_ROLLOUT = 3, 2


def check(config: DictConfig) -> Iterator[str]:
    if config.trainer.device == "cpu":
        yield from _cpu(config)
    elif config.trainer.device == "cuda":
        yield from _gpu(config)
    yield from _ray(config)


def gpu_count() -> int:
    """How many GPUs this process can see."""
    import torch

    return torch.cuda.device_count()


def _gpu(config: DictConfig) -> Iterator[str]:
    if names_a_cluster(config):
        return
    visible, wanted, beside = gpu_count(), config.trainer.n_gpus_per_node, rollout_gpus(config)
    rollouts = f" and {beside} for rollouts" if beside else ""
    left_out = f"the GPUs: {world_size(config)} for training{rollouts} are asked for, {visible} are here"
    if visible == 0:
        yield Absent("trainer.device=cuda needs a GPU and there is none here: write hardware=cpu.", left_out)
    elif beside and wanted + beside > visible:
        yield Absent(
            f"trainer.n_gpus_per_node={wanted} and {beside} for rollouts ({_ROLLOUT}.n_gpus_per_node) are more than "
            f"the {visible} GPUs here: write numbers that add up to {visible}.",
            left_out,
        )
    elif wanted > visible:
        yield Absent(
            f"trainer.n_gpus_per_node={wanted} is more than the {visible} GPUs here: "
            f"write trainer.n_gpus_per_node={visible}.",
            left_out,
        )
    yield from _cluster(config)


def _cluster(config: DictConfig) -> Iterator[str]:
    if config.trainer.nnodes > 1 and not names_a_cluster(config):
        address = "ray_kwargs.ray_init.address=HEAD:PORT"
        yield Absent(
            f"trainer.nnodes={config.trainer.nnodes} needs a Ray cluster: write {address}, or trainer.nnodes=1.",
            f"the Ray cluster: {config.trainer.nnodes} nodes are asked for, {address} is not given",
        )


def _cpu(config: DictConfig) -> Iterator[str]:
    if gpu_count():
        yield (
            "hardware=cpu is for machines without a GPU and there is one here: "
            "write hardware=gpu, or set CUDA_VISIBLE_DEVICES=."
        )
    yield from _cluster(config)
    if config.actor_rollout_ref.actor.strategy != "fsdp2" and config.get("model_engine", "dp") == "dp":
        # verl's FSDP1 hard-codes sync_module_states=True, which needs an accelerator.
        yield f"{_ACTOR}.strategy={config.actor_rollout_ref.actor.strategy} needs a GPU: write {_ACTOR}.strategy=fsdp2."
    if config.get("model_engine", "dp") != "dp":
        yield f"model_engine={config.model_engine} needs a GPU: write model_engine=dp."
    libraries = config.actor_rollout_ref.model.external_lib
    if _WORKER not in ([libraries] if isinstance(libraries, str) else libraries or []):
        yield (
            f"{_MODEL}.external_lib={libraries} leaves out the engine for hardware=cpu: "
            f"write {_MODEL}.external_lib={_WORKER}."
        )
    rollout = config.actor_rollout_ref.rollout
    for name in ("free_cache_engine", "enable_sleep_mode"):
        if rollout.get(name, True):
            yield f"{_ROLLOUT}.{name}=true needs a GPU, vLLM on CPU has no sleep mode: write {_ROLLOUT}.{name}=false."
    yield from _cpu_precision(config)
    for name in ("use_fused_kernels", "use_liger"):
        if config.actor_rollout_ref.model.get(name):
            yield f"{_MODEL}.{name}=true needs a GPU: write {_MODEL}.{name}=false."
    attention = OmegaConf.select(config, f"{_MODEL}.override_config.attn_implementation")
    if attention is None or "flash" in str(attention):
        yield (
            f"{_MODEL}.override_config.attn_implementation={attention or 'flash_attention_2'} needs a GPU: "
            f"write {_MODEL}.override_config.attn_implementation=sdpa."
        )


def _cpu_precision(config: DictConfig) -> Iterator[str]:
    keys = [f"{_ROLLOUT}.dtype"]
    for role in (_ACTOR, _REF):
        keys += [f"{role}.fsdp_config.{name}" for name in ("dtype", "model_dtype")]
        keys += [f"{role}.fsdp_config.mixed_precision.{name}_dtype" for name in ("param", "reduce", "buffer")]
    for key in keys:
        if OmegaConf.select(config, key) in _HALF:
            yield f"{key}={OmegaConf.select(config, key)} is not possible on a CPU: write {key}=float32."


def _ray(config: DictConfig) -> Iterator[str]:
    workers, beside = config.trainer.n_gpus_per_node, rollout_gpus(config)
    lacks_gpus = config.trainer.device == "cuda" and gpu_count() < workers + beside
    if names_a_cluster(config) or lacks_gpus:
        return
    arguments = config.ray_kwargs.ray_init
    gpus = arguments.get("num_gpus")
    if gpus is not None and gpus < workers + beside:
        needed = f"trainer.n_gpus_per_node={workers}" + (f" and {beside} for rollouts" if beside else "")
        yield (
            f"ray_kwargs.ray_init.num_gpus={gpus} is less than {needed} and Ray would wait forever: "
            f"write ray_kwargs.ray_init.num_gpus={workers + beside}."
        )
    cpus = arguments.get("num_cpus") or os.cpu_count() or 1
    storage = OmegaConf.select(config, "transfer_queue.backend.SimpleStorage.num_data_storage_units") or 0
    needed = CPUS_PER_WORKER * workers + CPUS_PER_ROLLOUT * beside + storage
    if cpus < needed:
        yield (
            f"ray_kwargs.ray_init.num_cpus={cpus} is too few for {workers + beside} workers and Ray would wait "
            f"forever: write ray_kwargs.ray_init.num_cpus={needed} or more (they are logical)."
        )
