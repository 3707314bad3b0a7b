"""Packed rows for Qwen2-VL and Qwen2.5-VL: their attention stays transformers' own.

For packed rows verl 0.9.1 (models/transformers/monkey_patch.py:397) puts an attention of its own into these two models,
which calls flash attention (models/transformers/qwen2_vl.py:319) and so has no CPU form. transformers' own asks
`attn_implementation`, and both `packed_sdpa` and `sdpa` see from its positions where sequences begin: verl counts those
of the text from 0 in every sequence, beside those of its images.
"""

import functools
from typing import Any

_MODELS = ("qwen2_vl", "qwen2_5_vl")


def install() -> None:
    """Once a process, from `gmpo_verl.worker`, before verl builds a model."""
    from verl.workers.engine.fsdp import transformer_impl

    if not getattr(transformer_impl.apply_monkey_patch, "keeps_attention", False):
        transformer_impl.apply_monkey_patch = _keeping_attention(transformer_impl.apply_monkey_patch)


def _keeping_attention(verls: Any) -> Any:
    @functools.wraps(verls)
    def apply(model: Any, *args: Any, **kwargs: Any) -> Any:
        if model.config.model_type in _MODELS:
            # Imported here, because they take a quarter of a second and most jobs have no images.
            from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLAttention
            from verl.models.transformers import qwen2_vl

            forward: Any = Qwen2_5_VLAttention.forward  # the two models have the same
            qwen2_vl.qwen2_vl_attn_forward = forward
        return verls(model, *args, **kwargs)

    vars(apply)["keeps_attention"] = True
    return apply
