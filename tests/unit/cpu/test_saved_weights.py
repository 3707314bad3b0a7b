"""Weights put aside on a CPU do not train along."""

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from verl.utils import fsdp_utils
from verl.utils.fsdp_utils import fsdp2_sharded_load_from_cpu

from gmpo_verl.cpu import saved_weights

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU verl's copy to the CPU is one")


@pytest.fixture
def model(tmp_path):
    dist.init_process_group("gloo", rank=0, world_size=1, init_method=f"file://{tmp_path}/rendezvous")
    model = torch.nn.Linear(3, 2)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    yield model
    dist.destroy_process_group()


def trained(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)


def difference(model: torch.nn.Module, save) -> float:
    """Of the weights before training and after putting them back."""
    before = model.weight.full_tensor().clone()
    state, spec = save(model)
    trained(model)
    fsdp2_sharded_load_from_cpu(model, state, spec)
    return (model.weight.full_tensor() - before).abs().max().item()


def test_verls_own_copy_is_none_and_ours_is(model):
    assert difference(model, saved_weights._save) == 1.0
    assert difference(model, saved_weights.save_copies) == 0.0
    assert fsdp_utils.fsdp2_sharded_save_to_cpu is saved_weights.save_copies
