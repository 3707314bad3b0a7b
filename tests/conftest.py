"""What every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import gmpo_verl  # noqa: F401  before a test imports transformers, which imports torchvision

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The same examples on every machine, so that a change that passed here passes there; HYPOTHESIS_PROFILE=searching looks
# for new ones. How long an example takes says nothing on a busy machine.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", UNTIMED, derandomize=True)
settings.register_profile("searching", UNTIMED, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

DEFAULT_TEST_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets (MATH, the official evaluation suite) in GMPO_TEST_DATA; the test skips where there are none."""
    folder = Path(os.environ.get("GMPO_TEST_DATA", DEFAULT_TEST_DATA))
    if not folder.is_dir():
        pytest.skip(f"no data sets in {folder}: set GMPO_TEST_DATA to a folder with MATH/ and understand_r1_zero/")
    return folder
