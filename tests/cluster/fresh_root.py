"""Does what a Dockerfile says in a fresh Debian on this machine, where no container engine runs.

A file system made with debootstrap stands in for the image that the Dockerfile starts from; every RUN is a chroot in
mount and process namespaces of its own, so that nothing stays mounted or running.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from dockerfile import Step, context

# python:3.11-slim-bookworm: Debian's own build of the same Python.
_PYTHON = "apt-get update && apt-get install --yes --no-install-recommends python3.11 python3.11-venv"
_MOUNTS = """
mount -t proc proc {root}/proc
mount -t sysfs -o ro sysfs {root}/sys
mount --rbind /dev {root}/dev
mount -t tmpfs -o size=4g tmpfs {root}/dev/shm
"""


class FreshRoot:
    """A fresh root, and where a Dockerfile's steps have led in it."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root, self.log = root, log
        self.user, self.folder = "0:0", "/"
        self.variables = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.pip_variables, self.bound = _pip_settings()
        self._call(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root)])
        shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
        self.run(_PYTHON)

    def follow(self, step: Step, source: Path) -> None:
        """Does one step; `source` is the folder that a container engine would be given.

        Raises:
            RuntimeError: the step failed; its last lines are in the message.
            ValueError: an instruction that is not known here.
        """
        if step.instruction in ("FROM", "CMD"):
            return
        if step.instruction == "ENV":
            self.variables |= dict(word.split("=", 1) for word in shlex.split(step.arguments))
        elif step.instruction == "USER":
            self.user = step.arguments
        elif step.instruction == "WORKDIR":
            self.folder = step.arguments
            self._path(self.folder).mkdir(parents=True, exist_ok=True)
        elif step.instruction == "RUN":
            self.run(step.arguments)
        elif step.instruction == "COPY":
            self._copy(shlex.split(step.arguments), source)
        else:
            raise ValueError(f"{step.instruction} is not known here")

    def run(self, command: str, timeout: float = 1800) -> str:
        """Runs a command in the folder and as the user of the step before, and returns what it wrote.

        Raises:
            RuntimeError: it failed, or took more than `timeout` seconds.
        """
        home = "/root" if self.user == "0:0" else str(Path(self.folder).parent)
        variables = self.pip_variables | self.variables | {"HOME": home}
        words = ["chroot", f"--userspec={self.user}", str(self.root), "/usr/bin/env", "-i"]
        words += [f"{name}={value}" for name, value in variables.items()]
        words += ["/bin/sh", "-c", f"cd {shlex.quote(self.folder)} && {command}"]
        mounts = _MOUNTS.format(root=shlex.quote(str(self.root)))
        for path in self.bound:
            self._make_mount_point(path)
            mounts += f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(self._path(path)))}\n"
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        return self._call([*namespaces, "bash", "-ec", f"{mounts}exec {shlex.join(words)}"], timeout)

    def remove(self) -> None:
        """Removes the file system, and nothing that should be mounted in it after all."""
        self._call(["rm", "--recursive", "--force", "--one-file-system", str(self.root)])

    def _copy(self, words: list[str], source: Path) -> None:
        owner = "0:0"
        while words[0].startswith("--"):
            option, _, value = words.pop(0).partition("=")
            if option != "--chown":
                raise ValueError(f"COPY {option} is not known here")
            owner = value
        *names, goal = words
        uid, gid = map(int, owner.split(":"))
        allowed = list(context(source))
        for name in names:
            below = [path for path in allowed if name == "." or path == Path(name) or Path(name) in path.parents]
            if not below:
                raise RuntimeError(f"COPY {name}: there is no such file that .dockerignore lets through")
            for path in below:
                inside = path if name == "." else path.relative_to(Path(name).parent)
                self._copy_file(source / path, self._path(self.folder) / goal / inside, uid, gid)

    def _copy_file(self, origin: Path, goal: Path, uid: int, gid: int) -> None:
        for folder in reversed([parent for parent in goal.parents if not parent.exists()]):
            folder.mkdir()
            os.chown(folder, uid, gid)
        goal.unlink(missing_ok=True)
        shutil.copy2(origin, goal, follow_symlinks=False)
        os.chown(goal, uid, gid, follow_symlinks=False)

    def _path(self, inside: str | Path) -> Path:
        return self.root / str(inside).lstrip("/")

    def _make_mount_point(self, path: Path) -> None:
        point = self._path(path)
        if path.is_dir():
            point.mkdir(parents=True, exist_ok=True)
        elif not point.exists():
            point.parent.mkdir(parents=True, exist_ok=True)
            point.touch()

    def _call(self, command: list[str], timeout: float = 1800) -> str:
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout
            )
        except subprocess.TimeoutExpired as expired:
            raise RuntimeError(f"{command[-1]} took more than {timeout} s") from expired
        with self.log.open("a") as stream:
            stream.write(f"$ {shlex.join(command)}\n{done.stdout}\n")
        if done.returncode:
            raise RuntimeError(f"{command[-1]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout


def _pip_settings() -> tuple[dict[str, str], list[Path]]:
    """This machine's settings of pip as environment variables, and the files and folders that they name."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    variables, paths = {}, []
    for line in listed.stdout.splitlines():
        key, _, quoted = line.partition("=")
        (value,) = shlex.split(quoted)
        variables["PIP_" + key.rpartition(".")[2].upper().replace("-", "_")] = value
        named = (Path(word.removeprefix("file://")) for word in value.split())
        # The files of an index in a folder stand beside its pages.
        whole = (path.parent if path.name == "simple" else path for path in named)
        paths += [path for path in whole if path.is_absolute() and path.exists()]
    return variables, list(dict.fromkeys(paths))
