"""`client.py SOCKET ARGUMENT ...`: Python with these arguments, as a fork of the server behind the socket.

Started in place of Python with nothing but the standard library, in 20 ms.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence

NUMBER_BYTES = 8
_LOOK_SECONDS = 1.0  # between looks at whether the starter lives


def main(address: str, arguments: Sequence[str]) -> None:
    status = run_forked(address, arguments)
    if status is None:
        os.execv(sys.executable, [sys.executable, *arguments])
    code = os.waitstatus_to_exitcode(status)
    if code < 0:  # the fork was killed: end by the same signal
        with contextlib.suppress(OSError):  # SIGKILL has no other way
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def run_forked(address: str, arguments: Sequence[str]) -> int | None:
    """The fork's wait status, once it has ended; None where there is no server."""
    starter = os.getppid()
    files = open_files()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            pid = _ask(server, address, arguments, files)
        except OSError:
            return None
        if pid is None:
            return None
        for file in files:
            if file > 2:  # the fork's alone: its starter waits for a pipe to be closed
                os.close(file)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _: os.kill(pid, received))
        while not select.select([server], [], [], _LOOK_SECONDS)[0]:
            if os.getppid() != starter:  # a process started here would notice; the fork ends with this connection
                return signal.SIGKILL
        status = _number(server)
    return signal.SIGKILL if status is None else status  # None: the server was killed, and the fork with it


def _ask(server: socket.socket, address: str, arguments: Sequence[str], files: list[int]) -> int | None:
    """The pid of the fork, None where the server ended before it made one."""
    request = {"arguments": arguments, "environment": dict(os.environ), "directory": os.getcwd(), "files": files}
    text = json.dumps(request).encode()
    server.connect(address)
    socket.send_fds(server, [len(text).to_bytes(NUMBER_BYTES, "big")], files)
    server.sendall(text)
    return _number(server)


def _number(server: socket.socket) -> int | None:
    answer = server.recv(NUMBER_BYTES, socket.MSG_WAITALL)
    return int.from_bytes(answer, "big") if answer else None


def open_files() -> list[int]:
    """The numbers of the files that the starter has given to this process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            os.fstat(int(name))
            found.append(int(name))
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
