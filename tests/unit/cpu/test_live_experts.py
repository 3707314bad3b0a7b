"""The experts of a mixture compute with their live weights, so that weights that are sent into them count."""

import inspect

import pytest
import torch
import torch.nn.functional as F

from gmpo_verl.cpu import vllm_plugin

EXPERTS, HIDDEN, INNER, TOKENS = 8, 32, 48, 20
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="the patch is inactive on a machine with a GPU")


def expected(layer: torch.nn.Module, x_TH: torch.Tensor, logits_TE: torch.Tensor) -> torch.Tensor:
    """Each token through its most probable expert, times its probability."""
    weight_T, expert_T = logits_TE.softmax(-1).max(-1)
    rows = []
    for x, weight, expert in zip(x_TH, weight_T, expert_T, strict=True):
        gate, up = (layer.w13_weight[expert] @ x).chunk(2)
        rows.append(weight * (layer.w2_weight[expert] @ (F.silu(gate) * up)))
    return torch.stack(rows)


@without_gpu
def test_experts_follow_weights_that_are_written_into_them(monkeypatch):
    from vllm.model_executor.layers import utils as layer_utils
    from vllm.model_executor.layers.fused_moe.activation import MoEActivation
    from vllm.model_executor.layers.fused_moe.cpu_fused_moe import CPUFusedMOE

    for owner, name in (
        (layer_utils, "dispatch_cpu_unquantized_gemm"),
        (CPUFusedMOE, "check_grouped_gemm"),
        (CPUFusedMOE, "_pad_moe_intermediate_for_grouped_gemm"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # for this test alone
    vllm_plugin.register()
    torch.manual_seed(0)
    layer = torch.nn.Module()
    layer.w13_weight = torch.nn.Parameter(torch.randn(EXPERTS, 2 * INNER, HIDDEN), requires_grad=False)
    layer.w2_weight = torch.nn.Parameter(torch.randn(EXPERTS, HIDDEN, INNER), requires_grad=False)
    layer.activation = MoEActivation.SILU
    parameters = list(layer.parameters())
    experts = CPUFusedMOE(layer)
    assert all(now is before for now, before in zip(layer.parameters(), parameters, strict=True))
    x_TH, logits_TE = torch.randn(TOKENS, HIDDEN), torch.randn(TOKENS, EXPERTS)
    for _ in range(2):
        found = experts(layer, x_TH, False, 1, logits_TE, False, global_num_experts=EXPERTS)
        torch.testing.assert_close(found, expected(layer, x_TH, logits_TE), rtol=1e-4, atol=1e-4)
        for parameter in parameters:
            parameter.copy_(torch.randn_like(parameter))


def test_vllm_still_packs_experts_by_itself():
    """When this fails after an upgrade, the patch can go."""
    from vllm.model_executor.layers.fused_moe import cpu_fused_moe

    assert "replace_parameter" in inspect.getsource(cpu_fused_moe.CPUFusedMOE.init_moe_grouped_gemm)
