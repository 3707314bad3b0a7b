"""The built wheel carries everything the command needs, and composes outside the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()  # a copy: building writes beside setup.py
    names = ["gmpo_verl", "recipes", "setup.py", "pyproject.toml", "README.md", "LICENSE"]
    subprocess.run(["cp", "-a", *names, str(source)], cwd=CHECKOUT, check=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_every_yaml_is_in_the_wheel(unpacked):
    expected = {path.relative_to(CHECKOUT) for path in (CHECKOUT / "gmpo_verl").rglob("*.yaml")}
    expected |= {Path("gmpo_verl/config/recipe") / path.name for path in (CHECKOUT / "recipes").glob("*.yaml")}
    found = {path.relative_to(unpacked) for path in unpacked.rglob("*.yaml")}
    assert found == expected
    assert (unpacked / "gmpo_verl" / "py.typed").is_file()


def test_what_the_commands_read_is_in_the_wheel(unpacked):
    folders = ("data/benchmark_sha256", "reporting/static", "reporting/templates")
    for folder in folders:
        files = {path.name for path in (CHECKOUT / "gmpo_verl" / folder).iterdir()}
        assert files and files == {path.name for path in (unpacked / "gmpo_verl" / folder).iterdir()}


def test_the_entry_points_name_the_plug_ins(unpacked):
    text = next(unpacked.glob("*.dist-info/entry_points.txt")).read_text()
    assert "gmpo = gmpo_verl.plugin" in text
    assert "gmpo_cpu = gmpo_verl.cpu.vllm_plugin:register" in text


def test_it_composes_outside_the_checkout(unpacked, tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "from gmpo_verl.config import compose\n"
        "print(compose.__file__, compose.compose(['algorithm=grpo']).data.train_batch_size)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    file, batch_size = result.stdout.split()[-2:]
    assert file.startswith(str(unpacked))
    assert batch_size == "32"
