"""`python -m gmpo_verl.fork_server.server OWNER_PID LISTENER MODULE ...`: import, then fork for whoever connects."""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys

from gmpo_verl.fork_server.client import NUMBER_BYTES
from gmpo_verl.fork_server.fork import Request, become, run
from gmpo_verl.supervisor.prctl import tied_to

_MAX_FILES = 250  # a message carries no more


def main(owner_pid: int, listener_file: int, modules: list[str]) -> None:
    if not tied_to(owner_pid):
        sys.exit(1)
    os.environ.update(_ray_environment())
    with socket.socket(fileno=listener_file) as listener:
        _import(modules)
        gc.collect()
        gc.freeze()  # a collection in a fork would copy the pages of every object
        request = _Server(listener).serve()
    become(request)
    run(request.arguments)


def _import(modules: list[str]) -> None:
    from gmpo_verl.fork_server import ray_ids  # not before Ray's environment

    with ray_ids.undrawn():
        for module in modules:
            importlib.import_module(module)
    if ray_ids.forks_draw_alike():
        sys.exit("no forks: an import has drawn one of Ray's identifiers, and all forks would draw the same ones")


def _ray_environment() -> dict[str, str]:
    """What Ray 2.60 gives to a worker and reads only once, where it is imported: here, before there is a worker.

    The job of a cluster of one's own is the first. A worker ends itself when its raylet has died; a fork ends with this
    server, and with its client, which watches the raylet.
    """
    return {"RAY_JOB_ID": "01000000", "RAY_RAYLET_PID": str(os.getpid())}


class _Server:
    """One thread that forks, tells the clients how their forks ended, and ends the forks of clients that died."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._clients: dict[int, socket.socket] = {}  # by their forks' pids
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._wake_up, self._signals = socket.socketpair()
        self._signals.setblocking(False)
        self._selector.register(self._wake_up, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._signals.fileno())

    def serve(self) -> Request:
        """Returns in the forks alone."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_up:
                    self._wake_up.recv(4096)
                    self._report_ended()
                elif key.fileobj is not self._listener:
                    self._end(key.data)
                elif request := self._fork():
                    return request

    def _fork(self) -> Request | None:
        """The client's request, in its fork."""
        client, _ = self._listener.accept()
        request = _receive(client)
        pid = os.fork()
        if pid == 0:
            if not tied_to(self._pid):
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for each in (self._wake_up, self._signals, client, *self._clients.values()):
                each.close()
            return request
        for file in request.received:
            os.close(file)
        self._clients[pid] = client
        self._selector.register(client, selectors.EVENT_READ, pid)
        _say(client, pid)
        return None

    def _end(self, pid: int) -> None:
        """Its client died, whose death was to be the fork's."""
        self._selector.unregister(self._clients[pid])
        os.kill(pid, signal.SIGKILL)

    def _report_ended(self) -> None:
        with contextlib.suppress(ChildProcessError):  # no fork is left
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                client = self._clients.pop(pid)
                with contextlib.suppress(KeyError):  # the client died first
                    self._selector.unregister(client)
                _say(client, status)
                client.close()


def _receive(client: socket.socket) -> Request:
    length, received, _, _ = socket.recv_fds(client, NUMBER_BYTES, _MAX_FILES)
    text = client.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    return Request(**json.loads(text), received=received)


def _say(client: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # it died
        client.sendall(number.to_bytes(NUMBER_BYTES, "big"))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
