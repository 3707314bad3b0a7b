"""The C kernels give what vLLM's plain operators give, and are still not offered to CPUs by vLLM itself."""

import inspect

import pytest
import torch
from vllm import ir

from gmpo_verl.cpu import norms


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    from vllm.platforms import current_platform

    current_platform.import_kernels()


def tensors(*shape: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, residual = (torch.randn(*shape, generator=generator).to(dtype) for _ in range(2))
    return x, residual, (1 + 0.1 * torch.randn(shape[-1], generator=generator)).to(dtype)


@pytest.mark.parametrize("shape", [(1, 64), (7, 512), (256, 96), (5, 4, 64)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 2e-2)])
def test_a_norm_is_that_of_the_plain_operator(shape, dtype, tolerance):
    x, _, weight = tensors(*shape, dtype=dtype)
    plain = ir.ops.rms_norm.impls["native"].impl_fn(x, weight, 1e-6)
    torch.testing.assert_close(norms.rms_norm(x, weight, 1e-6), plain, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", [(1, 64), (7, 512), (256, 96)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 4e-2)])
def test_a_norm_of_a_sum_gives_the_sum_too(shape, dtype, tolerance):
    x, residual, weight = tensors(*shape, dtype=dtype)
    plain = ir.ops.fused_add_rms_norm.impls["native"].impl_fn(x, residual, weight, 1e-6)
    ours = norms.fused_add_rms_norm(x.clone(), residual.clone(), weight, 1e-6)
    for got, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)


def test_what_the_kernels_cannot_read_is_left_to_the_plain_operator():
    x, residual, weight = tensors(6, 64, dtype=torch.float32)
    assert norms._one(x, weight, 1e-6) and norms._two(x, residual, weight, 1e-6)
    assert not norms._one(x[:, :32], weight[:32], 1e-6)  # a view with gaps, as of queries and keys
    assert not norms._one(x, weight, 1e-6, variance_size=32)
    assert not norms._one(x, None, 1e-6)
    assert not norms._two(x, residual.bfloat16(), weight, 1e-6)


def test_it_is_still_needed():
    from vllm.kernels import vllm_c
    from vllm.platforms.interface import Platform

    assert "GPGPU_DEVICE = CUDA_ALIKE or current_platform.is_xpu()" in inspect.getsource(vllm_c)
    assert 'with_default(["native"])' in inspect.getsource(Platform.get_default_ir_op_priority)
