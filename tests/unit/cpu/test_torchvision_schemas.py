"""Each in a process of its own: an import of torchvision that failed cannot be tried again."""

import importlib.util
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
import torch

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"),
    pytest.mark.skipif(torch.version.cuda is not None, reason="torchvision is meant for a torch with CUDA"),
]

INSTALL = "from gmpo_verl.cpu import torchvision_schemas; torchvision_schemas.install(); "
LOADS = "import torchvision; print(torchvision.extension._has_ops())"
RESIZE = (
    "import torch; from torchvision.transforms.v2 import functional as F; "
    "print(tuple(F.resize(torch.zeros(3, 8, 6), [4, 3]).shape))"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def alone() -> subprocess.CompletedProcess[str]:
    """torchvision imported without our schemas."""
    return run(LOADS)


def test_torchvision_from_pypi_cannot_be_imported_without_the_schemas(alone):
    """When this fails with a torchvision from PyPI, `gmpo_verl.cpu.torchvision_schemas` can go."""
    if alone.stdout == "True\n":
        pytest.skip("this torchvision is built for torch without CUDA")
    assert alone.returncode == 1
    assert "operator torchvision::nms does not exist" in alone.stderr


def test_it_is_imported_with_them_and_resizes_images(alone):
    loaded = run(INSTALL + LOADS + "; " + RESIZE)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout == ("True\n" if alone.returncode == 0 else "False\n") + "(3, 4, 3)\n"


def test_whoever_imports_verl_has_them():
    imported = run("import verl; from transformers import Qwen2VLImageProcessor; print('imported')")
    assert imported.stdout.endswith("imported\n"), imported.stderr


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.skipif(
    not entry_points(group="vllm.platform_plugins", name="gmpo_torchvision"),
    reason="the package's entry points are older than this test: pip install -e .",
)
def test_a_process_that_vllm_starts_has_them():
    imported = run("import vllm.v1.engine.core; print('imported')")
    assert imported.stdout.endswith("imported\n"), imported.stderr


def test_installing_imports_neither_torch_nor_torchvision_and_twice_is_once():
    code = INSTALL * 2 + (
        "import sys; print(sum(type(finder).__name__ == '_Declarer' for finder in sys.meta_path), "
        "{'torch', 'torchvision'} & set(sys.modules))"
    )
    assert run(code).stdout == "1 set()\n"


def test_a_torchvision_whose_compiled_part_loads_is_left_as_it_is():
    code = INSTALL + (
        "import types; extension = types.ModuleType('torchvision.extension'); extension._has_ops = lambda: True; "
        "import sys; sys.modules['torchvision.extension'] = extension; import torch; "
        "[finder.find_spec('torchvision._meta_registrations', None) for finder in sys.meta_path[:1]]; "
        "print(hasattr(torch.ops.torchvision, 'nms'))"
    )
    assert run(code).stdout == "False\n"
