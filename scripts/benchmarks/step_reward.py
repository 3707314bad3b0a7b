"""A reward for random text: no two responses have the same, so every group has an advantage and nothing is pruned."""

import zlib
from typing import Any


async def compute_score(data_source: str, solution_str: str, ground_truth: Any, **_: Any) -> dict[str, float]:
    """A number in [0, 1) that depends on nothing but the response."""
    return {"score": zlib.crc32(solution_str.encode()) / 2**32}
