"""verl's FSDP2 engine on CPU. Imported by `gmpo_verl.worker`, before verl builds an engine.

Two things in verl 0.9.1 are answered here:
- utils/distributed.py:93 asks torch for the backends "cpu:gloo,cpu:gloo" (ValueError: duplicate device type), but
  leaves an existing process group alone: make it first.
- workers/engine/fsdp/transformer_impl.py:468 gives a reference model CPUOffloadPolicy(pin_memory=True), which needs an
  accelerator: build the FSDP2 module without it.
"""

import os
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule
from verl.utils.fsdp_utils import MixedPrecisionPolicy, apply_fsdp2, fsdp2_load_full_state_dict
from verl.utils.torch_dtypes import PrecisionType
from verl.workers.engine import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead

from gmpo_verl.cpu.packed_attention import NAME as PACKED

_RENDEZVOUS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def make_process_group() -> None:
    """The gloo group of verl's training workers; elsewhere (agent loop, rollout server) the variables are missing."""
    if torch.cuda.is_available() or dist.is_initialized() or any(name not in os.environ for name in _RENDEZVOUS):
        return
    dist.init_process_group(
        "cpu:gloo",
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        init_method=os.environ.get("DIST_INIT_METHOD"),
    )


class CPUFSDP2Engine(FSDPEngineWithLMHead):
    """FSDP2 over gloo, without pinned memory."""

    def _build_fsdp_module(self, module: torch.nn.Module) -> Any:
        precision = self.engine_config.mixed_precision or {}
        param_dtype = PrecisionType.to_dtype(precision.get("param_dtype", "bf16"))
        reduce_dtype = PrecisionType.to_dtype(precision.get("reduce_dtype", "fp32"))
        if param_dtype == torch.float16:
            raise ValueError(
                "float16 needs a gradient scaler, which has no CPU form: set mixed_precision.param_dtype=fp32"
            )
        self._autocast_dtype, self.scaler = param_dtype, None
        config: Any = module.config
        if getattr(config, "attn_implementation", None) == PACKED:
            # verl writes the option into the configuration of its checkpoints, where nobody else knows the name.
            config.attn_implementation = "sdpa"
        full_state = module.state_dict()
        fsdp_kwargs = {
            "mesh": self.device_mesh,
            "mp_policy": MixedPrecisionPolicy(
                param_dtype=param_dtype, reduce_dtype=reduce_dtype, cast_forward_inputs=True
            ),
            "offload_policy": None,
            "reshard_after_forward": self.engine_config.reshard_after_forward,
        }
        apply_fsdp2(module, fsdp_kwargs, self.engine_config)
        fsdp2_load_full_state_dict(module, full_state, self.device_mesh, None)
        return module

    def infer_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Leaves the weights in shards, where `reshard_after_forward=false` would leave them whole for a backward pass.

        verl's asynchronous trainers look for shards (utils/fsdp_utils.py:1209), and its own remedy is for the root
        module and several ranks alone (workers/engine/fsdp/transformer_impl.py:1115).
        """
        try:
            return super().infer_batch(*args, **kwargs)
        finally:
            for module in self.module.modules():
                if isinstance(module, FSDPModule):
                    module.reshard()


def register_engine() -> None:
    """Once: verl refuses nothing on a second registration, but a second class would hide the first."""
    if "cpu" not in EngineRegistry._engines["language_model"]["fsdp2"]:
        EngineRegistry.register(model_type="language_model", backend="fsdp2", device="cpu")(CPUFSDP2Engine)


make_process_group()
register_engine()
