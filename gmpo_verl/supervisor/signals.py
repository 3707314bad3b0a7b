"""The signals that ask a run to stop, at once or after its step, as something that can be waited for and counted."""

import contextlib
import os
import signal
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAVING = signal.SIGUSR1


class StopSignals:
    """Handlers for SIGINT, SIGTERM, SIGHUP and SIGUSR1 that only take note; `fd` becomes readable when one arrives.

    `save` says that SIGUSR1 asked to finish the step, save and stop. It counts once, and not as a signal to stop.

    They are installed even where a signal is inherited as ignored, as a shell without job control does with SIGINT
    for what it starts in the background.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self.count = 0
        self.save = False
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_fd, False)

    def install(self) -> None:
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _STOPPING:
            # nohup asks for a run that survives its terminal.
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            signal.signal(number, self._note)
        signal.signal(_SAVING, self._note_save)

    def drain(self) -> None:
        """Make `fd` wait for the next signal."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 512)

    def again(self) -> bool:
        """Whether the user has asked more than once, and wants it fast."""
        return self.count > 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.first = self.first or number
        self.count += 1

    def _note_save(self, number: int, frame: FrameType | None) -> None:
        self.save = True
