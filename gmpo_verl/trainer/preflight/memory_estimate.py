"""How much memory of a GPU, a host and a disk a run takes, by counting; nothing is measured.

A round has two phases on the same GPUs. Bytes of one GPU, where N are the model's parameters, n the ranks that share
them, w the bytes of a stored number (`fsdp_config.model_dtype`, 4 by default), c those of a computed one (bf16: 2),
T the tokens of a micro-batch on a GPU, L the layers, H the hidden and V the vocabulary size:

    update    weights w*N/n, gradients w*N/n, Adam 2*w*N/n
              gathered: two layers' weights and one layer's gradients, and the embeddings, c each; all weights where
              `fsdp_config.reshard_after_forward` is false
              activations: with checkpointing c*T*H of each layer and all of one; else all of every layer. All of one:
              c*T*(5*H + 2*query + 2*key_value + 4*mlp), the inputs that its matrix products and norms keep
              logits: T*V*(2*c + 4), themselves, their gradient and one copy in fp32
    rollout   the sleeping actor's weights and Adam (without offloading), and vLLM's share
              `rollout.gpu_memory_utilization` of the GPU: its weights c*N/(tensor*pipeline) and its cache of keys and
              values, c*2*key_value/tensor a token and layer

Not counted: the CUDA context and NCCL's buffers (1 to 3 GB), fragmentation, CUDA graphs, a vision tower's activations,
and a critic. The pass for old log-probs keeps less than the update.
"""

from dataclasses import dataclass

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.batches import data_parallel_size, is_separate, needs_reference, world_size
from gmpo_verl.trainer.preflight.model_shape import ModelShape

ASSUMED_GPU = 80e9  # bytes: an A100, A800 or H100 of 80 GB, the paper's hardware
_ADAM = 2  # moments of each parameter
_FP32 = 4


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes.

    Attributes:
        update, rollout: of one GPU, by what takes them; where rollouts have GPUs of their own, each is on its own.
        host: of one node's memory, beside the processes themselves.
        checkpoint: one on disk.
        cache_tokens: whose keys and values fit in an engine's share of its GPUs; below 0, its weights do not.
    """

    update: dict[str, float]
    rollout: dict[str, float]
    host: float
    checkpoint: float
    cache_tokens: int

    @property
    def peak(self) -> float:
        """Bytes of one GPU in the larger phase."""
        return max(sum(self.update.values()), sum(self.rollout.values()))


def estimate(config: DictConfig, shape: ModelShape, gpu: float = ASSUMED_GPU) -> MemoryEstimate:
    """The memory of a run with FSDP2 and vLLM.

    Args:
        gpu: bytes of one GPU.
    """
    fsdp, rollout = config.actor_rollout_ref.actor.fsdp_config, config.actor_rollout_ref.rollout
    world = world_size(config)
    shards = fsdp.fsdp_size if 0 < fsdp.fsdp_size <= world else world
    stored = _bytes(fsdp.model_dtype) * shape.parameters
    weights, adam = stored / shards, _ADAM * stored / shards
    if config.actor_rollout_ref.model.lora_rank > 0:
        adam, gradients = 0.0, 0.0  # of the adapters alone, which are small
    else:
        gradients = weights
    on_host = bool(fsdp.offload_policy)
    resident = {} if on_host else {"weights": weights, "gradients": gradients, "Adam": adam}
    update = resident | _passing(config, shape)
    share = rollout.gpu_memory_utilization * gpu
    asleep: dict[str, float] = {}
    if not is_separate(config) and not on_host:
        if not fsdp.param_offload:
            asleep["weights"] = weights
        if not fsdp.optimizer_offload:
            asleep["Adam"] = adam
    host_a_rank = (
        weights + gradients + adam if on_host else fsdp.param_offload * weights + fsdp.optimizer_offload * adam
    )
    if needs_reference(config):
        host_a_rank += weights  # verl keeps it there and gathers a layer at a time
    return MemoryEstimate(
        update=update if rollout.free_cache_engine or is_separate(config) else update | {"vLLM": share},
        rollout=asleep | {"vLLM": share},
        host=host_a_rank * config.trainer.n_gpus_per_node,
        checkpoint=checkpoint_bytes(config, shape),
        cache_tokens=_cache_tokens(config, shape, share),
    )


def checkpoint_bytes(config: DictConfig, shape: ModelShape) -> float:
    """Bytes of one checkpoint, of all ranks together: the weights and, unless they are adapters', Adam's moments."""
    trains_all = config.actor_rollout_ref.model.lora_rank <= 0
    return _bytes(config.actor_rollout_ref.actor.fsdp_config.model_dtype) * shape.parameters * (1 + _ADAM * trains_all)


def _passing(config: DictConfig, shape: ModelShape) -> dict[str, float]:
    """Bytes of one GPU that come and go with a micro-batch."""
    compute = _compute_bytes(config)
    tokens = micro_batch_tokens(config)
    layer = compute * tokens * (5 * shape.hidden + 2 * shape.query + 2 * shape.key_value + 4 * shape.mlp)
    if config.actor_rollout_ref.model.enable_gradient_checkpointing:
        activations = shape.layers * compute * tokens * shape.hidden + layer
    else:
        activations = shape.layers * layer
    if config.actor_rollout_ref.actor.fsdp_config.reshard_after_forward:
        gathered = 3 * shape.layer_parameters + shape.embedding_parameters
    else:
        gathered = shape.parameters + shape.layer_parameters
    return {
        "gathered layers": float(compute * gathered),
        "activations": float(activations),
        "logits": float(tokens * shape.vocabulary * (2 * compute + _FP32)),
    }


def micro_batch_tokens(config: DictConfig) -> int:
    """The tokens of the largest micro-batch of the update on one GPU."""
    actor, data = config.actor_rollout_ref.actor, config.data
    sequence_parallel = actor.get("ulysses_sequence_parallel_size", 1) or 1
    responses = actor.ppo_mini_batch_size * config.actor_rollout_ref.rollout.n // data_parallel_size(config)
    if not actor.use_dynamic_bsz:
        responses = actor.ppo_micro_batch_size_per_gpu
    tokens = responses * (data.max_prompt_length + data.max_response_length) // sequence_parallel
    return int(min(tokens, actor.ppo_max_token_len_per_gpu) if actor.use_dynamic_bsz else tokens)


def _cache_tokens(config: DictConfig, shape: ModelShape, share: float) -> int:
    rollout = config.actor_rollout_ref.rollout
    tensor, pipeline = rollout.tensor_model_parallel_size, rollout.pipeline_model_parallel_size
    value = _bytes(rollout.dtype)
    room = share - value * shape.parameters / (tensor * pipeline)
    # Heads are dealt out to the GPUs of an engine; fewer heads than GPUs are repeated.
    heads = max(1, shape.key_value_heads // tensor)
    a_token = value * 2 * heads * (shape.key_value // shape.key_value_heads) * shape.layers / pipeline
    return int(room // a_token)


def _compute_bytes(config: DictConfig) -> int:
    fsdp = config.actor_rollout_ref.actor.fsdp_config
    return _bytes((fsdp.get("mixed_precision") or {}).get("param_dtype") or fsdp.dtype)


def _bytes(dtype: object) -> int:
    return 4 if str(dtype).removeprefix("torch.") in ("fp32", "float32", "float") else 2
