"""A supervised run with a fake driver, and what it leaves behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

SCRIPT = Path(__file__).with_name("supervise_fake.py")
MARK = "GMPO_RUN_MARK"
LIMIT = 30  # seconds


class Fake:
    """One supervised fake run, recognised by a mark that all its processes inherit."""

    def __init__(self, tmp_path: Path) -> None:
        self.run_dir = tmp_path / "run"
        self.temp_root = Path(f"/tmp/t{uuid.uuid4().hex[:8]}")
        self.temp_root.mkdir()
        self.mark = uuid.uuid4().hex
        self.memory = f"gmpo_test_{self.mark[:12]}"
        self.environment = os.environ | {
            MARK: self.mark,
            "FAKE_RUN_DIR": str(self.run_dir),
            "FAKE_SHARED_MEMORY": self.memory,
            "TMPDIR": str(self.temp_root),
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self._command(arguments), timeout=LIMIT, **self._options)

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        return subprocess.Popen([*prefix, *self._command(arguments)], **self._options)

    def wait_until_ready(self) -> list[str]:
        """The temporary folder and the names of the shared memory of a run that holds everything."""
        for _ in range(200):
            if (self.run_dir / "ready").exists() and (words := (self.run_dir / "ready").read_text().split()):
                time.sleep(1.5)
                return words
            time.sleep(0.05)
        raise AssertionError("the fake driver did not get ready")

    def survivors(self) -> list[int]:
        pids = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in environ.read_bytes():
                    pids.append(int(environ.parent.name))
            except OSError:
                continue
        return pids

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, str(SCRIPT), *arguments]

    @property
    def _options(self) -> dict:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return {"env": self.environment, "preexec_fn": _as_from_a_terminal, **streams}


def _as_from_a_terminal() -> None:
    """These tests may themselves run under nohup, which lets everything below ignore SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
