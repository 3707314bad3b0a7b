"""verl and vLLM without an accelerator: a platform, an FSDP2 engine and a vLLM plug-in.

Nothing here knows of GMPO, and nothing here acts on a machine with a GPU.
"""
