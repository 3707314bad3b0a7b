"""The pictures of a row as verl reads them from parquet: encoded bytes, and the name that they had."""

from io import BytesIO
from pathlib import Path
from typing import Any, TypedDict

from gmpo_verl.data.sets.data_set import UnusableRowError


class StoredImage(TypedDict):
    """The struct that `datasets` stores an image as."""

    bytes: bytes
    path: str | None


def stored_image(image: Any, folder: Path | None) -> StoredImage:
    """Read and check one picture.

    Args:
        image: `{"bytes": ..., "path": ...}`, bytes, or a path.
        folder: where relative paths start.

    Raises:
        UnusableRowError: it is not there, or no picture.
    """
    data, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if isinstance(data, str):
        data, path = None, data
    if data is None and path is not None:
        try:
            data = (folder or Path()).joinpath(path).read_bytes()
        except OSError as error:
            raise UnusableRowError(f"its image cannot be read ({error.strerror})") from error
    if not isinstance(data, bytes):
        raise UnusableRowError("its image is neither bytes nor a path")
    _check(data)
    return {"bytes": data, "path": Path(path).name if path else None}


def _check(data: bytes) -> None:
    from PIL import Image

    try:
        with Image.open(BytesIO(data)) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnusableRowError("its image is damaged or no image") from error
