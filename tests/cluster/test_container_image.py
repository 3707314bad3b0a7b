"""What docker/Dockerfile.cpu says, done in a fresh root: a user's commands work there, without rights."""

import json
import os
import shutil
from pathlib import Path

import pytest
from dockerfile import steps
from fresh_root import FreshRoot

CHECKOUT = Path(__file__).resolve().parents[2]
MAIN = ".venv/bin/python -m gmpo_verl.main_ppo"
TINY = (
    "run_dir=/tmp/run trainer.total_training_steps=1 trainer.test_freq=1 arithmetic.clean_steps=20 "
    "arithmetic.slip_steps=0 data.val_max_samples=8"
)

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root, for chroot")
    if shutil.which("debootstrap") is None:
        pytest.skip("needs debootstrap")
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    root = FreshRoot(folder / "root", folder / "log")
    try:
        for step in steps((CHECKOUT / "docker" / "Dockerfile.cpu").read_text()):
            root.follow(step, CHECKOUT)
        yield root
    finally:
        root.remove()


def test_the_steps_of_the_cpu_image_lead_to_a_command_that_knows_its_configuration(image):
    assert "mean_exponent: 0.0" in image.run(f"{MAIN} --cfg job")


def test_a_dry_run_in_the_cpu_image_finds_nothing_wrong(image):
    assert "run directory" in image.run(f"{MAIN} dry_run=true")


def test_one_step_is_trained_in_the_cpu_image(image):
    image.run(f"HF_HUB_OFFLINE=1 timeout 900 {MAIN} {TINY}")
    rows = [json.loads(line) for line in (image.root / "tmp/run/metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 1


def test_the_image_runs_as_a_user_without_rights_and_installs_once(image):
    assert image.run("id -u").strip() == "1000"
    assert image.run("scripts/setup.sh") == ""
