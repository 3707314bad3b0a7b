"""Where rows come from: a data set of the hub, a folder saved by `datasets`, or parquet and JSON files."""

import re
from pathlib import Path

from gmpo_verl.data.sources.files import SUFFIXES, open_files
from gmpo_verl.data.sources.hub import HubId, open_hub
from gmpo_verl.data.sources.saved_folder import is_saved_folder, open_saved_folder
from gmpo_verl.data.sources.split import Row, Source, Split
from gmpo_verl.errors import UserError

__all__ = ["HubId", "Row", "Source", "Split", "open_source"]

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def open_source(given: str, config: str | None = None) -> Source:
    """The splits that a user named.

    Args:
        given: a file or folder that is there, else the id of a data set on the hub.
        config: the hub's configuration ("subset") of the data set.

    Raises:
        UserError: there is nothing of that name, or it is not a data set, or it cannot be read.
    """
    path = Path(given).expanduser()
    if path.is_file() or path.is_dir():
        return open_saved_folder(given, path) if is_saved_folder(path) else open_files(given, path)
    if _HUB_NAME.fullmatch(given) and path.suffix not in SUFFIXES and path.parts[0] not in (".", ".."):
        return open_hub(HubId(given, config))
    raise UserError(f"--source={given} does not exist: write a file, a folder or the id of a data set on the hub.")
