"""Lets PyPI's torchvision, which is built for CUDA, be imported beside a torch without it.

transformers imports an installed torchvision with every model (transformers 5.10, image_utils.py:54), and processors
of images need it. The compiled part of torchvision 0.28.0 does not load here, which its `extension.py:13` forgives; but
`_meta_registrations.py:163` and `:177` then describe two operators that nobody has declared ("operator torchvision::nms
does not exist"). Here they are declared. They still have no kernel, and transformers asks for none: it resizes.

A torchvision whose compiled part loads, such as those of PyTorch's own index, is left as it is.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

_BEFORE = "torchvision._meta_registrations"  # imported once torchvision has tried to load its compiled part
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[object] = []  # torch forgets the schemas of a library that nobody holds


class _Declarer(MetaPathFinder):
    """Finds nothing; it is asked in time, and costs nothing where torchvision is not imported."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /) -> None:
        if fullname == _BEFORE and not _libraries and not sys.modules["torchvision.extension"]._has_ops():
            _declare()


def _declare() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)


def install() -> None:
    """Once a process, before anything imports transformers' models; it imports neither torch nor torchvision.

    Also the entry point by which vLLM's own processes have it: one of the group `vllm.platform_plugins`, because those
    of `vllm.general_plugins` are loaded after transformers. None says to vLLM that it is no platform.
    """
    if not any(isinstance(finder, _Declarer) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Declarer())
