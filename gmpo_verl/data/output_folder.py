"""A folder of files that is written whole or not at all."""

import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from gmpo_verl.errors import UserError

MANIFEST = "manifest.json"

_NUMBERS = re.compile(r"\[\n[\d,\s]+\]")  # a string of JSON holds no line break


class OutputFolder:
    """Takes files under temporary names beside their places; `publish` renames them, and without it they are gone.

    A context manager, which leaves the folder as it was where its body does not end with `publish`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: list[Path] = []  # folders that were not there, the outermost last

    def __enter__(self) -> "OutputFolder":
        self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.path))
        except BaseException:
            self._remove_made()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        self._remove_made()

    def file(self, name: str) -> Path:
        """Where to write the file that will be `path / name`."""
        return self._partial / name

    def publish(self, names: list[str], manifest: dict[str, Any], replaced: list[str]) -> None:
        """Put the files in their places; the manifest goes first where there is one, and comes last.

        Args:
            replaced: files of an earlier preparation, removed where they are not written anew.
        """
        new_manifest = self.file(MANIFEST)
        with new_manifest.open("w", encoding="utf-8") as stream:
            stream.write(manifest_text(manifest))
            stream.flush()
            os.fsync(stream.fileno())
        (self.path / MANIFEST).unlink(missing_ok=True)
        for name in set(replaced) - set(names):
            (self.path / name).unlink(missing_ok=True)
        for name in names:
            os.replace(self.file(name), self.path / name)
        os.replace(new_manifest, self.path / MANIFEST)

    def _remove_made(self) -> None:
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()  # refuses a folder that holds something


def manifest_text(manifest: dict[str, Any]) -> str:
    """JSON to be read by people too: a list of numbers stands in one line."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: "[" + " ".join(found.group()[1:-1].split()) + "]", text) + "\n"


def check_place(path: Path, identity: dict[str, Any], names: list[str], overwrite: bool) -> list[str]:
    """The files of the preparation that stands in the folder, which the new one replaces.

    Args:
        identity: what an earlier manifest must say, else only `overwrite` replaces its files.
        names: the files that will be written.

    Raises:
        UserError: the folder is a file, or holds files of another preparation, or of nobody known.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"--out={path} is a file: write the name of a folder.")
    earlier = _manifest_in(path)
    # A name in a file is not to be trusted with a deletion elsewhere.
    replaced = [name for name in (earlier or {}).get("files", {}) if Path(name).name == name]
    if overwrite:
        return replaced
    if earlier is None:
        strange = [name for name in names if (path / name).exists()]
        if strange:
            raise UserError(
                f"--out={path} holds {', '.join(strange)} and no manifest.json: write another folder, or --overwrite."
            )
    elif any(earlier.get(key) != value for key, value in identity.items()):
        known = ", ".join(f"{key} {earlier.get(key)}" for key in identity)
        raise UserError(f"--out={path} holds another preparation ({known}): write another folder, or --overwrite.")
    return replaced


def _manifest_in(path: Path) -> dict[str, Any] | None:
    """None where there is none of ours."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None
