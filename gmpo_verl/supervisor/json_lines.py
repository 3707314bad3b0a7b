"""A file of JSON lines, read while it is being written."""

import json
from pathlib import Path
from typing import Any


class JsonLinesTail:
    """The objects appended to a file since the last call; an unfinished last line waits for its end."""

    def __init__(self, path: Path, from_end: bool = False) -> None:
        """`from_end`: leave out what the file holds by now. The file need not exist yet."""
        self._path = path
        self.rewound = False  # whether the last read began at the start again, because the file was cut
        self._offset = path.stat().st_size if from_end and path.exists() else 0

    def read(self) -> list[dict[str, Any]]:
        """The new rows; a line that is no JSON object is passed over."""
        rows = []
        try:
            with self._path.open("rb") as file:
                # A run that resumes cuts off the rows after its checkpoint: a shorter file is read anew.
                self.rewound = file.seek(0, 2) < self._offset
                if self.rewound:
                    self._offset = 0
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    try:
                        row = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(row, dict):
                        rows.append(row)
        except OSError:
            pass
        return rows
