"""Environment variables that every process with vLLM or transformers in it has; what the user has set stays."""

QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARN",  # as verl sets it in its workers; forked ones have imported vLLM by then
    "TOKENIZERS_PARALLELISM": "false",
}
# On a CPU vLLM's sampler alone would be compiled, by a C++ compiler that a machine may lack, for 20 s of every run.
WITHOUT_COMPILER = {"TORCH_COMPILE_DISABLE": "1"}
