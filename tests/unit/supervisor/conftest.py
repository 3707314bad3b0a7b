"""A fake run that has to leave nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_run import Fake


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    fake = Fake(tmp_path)
    yield fake
    assert fake.survivors() == []
    assert list(fake.temp_root.iterdir()) == []
    fake.temp_root.rmdir()
