"""What every test may use."""

import os
from pathlib import Path

import pytest

import gmpo_verl  # noqa: F401  before a test imports transformers, which imports torchvision

os.environ.setdefault("HF_HUB_OFFLINE", "1")

DEFAULT_TEST_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets (MATH, the official evaluation suite) in GMPO_TEST_DATA; the test skips where there are none."""
    folder = Path(os.environ.get("GMPO_TEST_DATA", DEFAULT_TEST_DATA))
    if not folder.is_dir():
        pytest.skip(f"no data sets in {folder}: set GMPO_TEST_DATA to a folder with MATH/ and understand_r1_zero/")
    return folder
