"""Whether the disk has room for one more checkpoint, asked before it is written."""

import shutil
from pathlib import Path

_MARGIN = 1.05  # metrics, answers and logs want a place too


def shortage(folder: Path, checkpoint: float) -> str:
    """What is lacking, as a clause; empty where there is room.

    Args:
        folder: of the checkpoints; it may not exist yet.
        checkpoint: bytes of one.
    """
    there = folder.absolute()
    while not there.is_dir() and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free
    if free >= _MARGIN * checkpoint:
        return ""
    return f"a checkpoint takes {in_words(_MARGIN * checkpoint)} and {folder} has {in_words(free)} free"


def in_words(size: float) -> str:
    """Bytes as `91.2 GB` or `5.6 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
