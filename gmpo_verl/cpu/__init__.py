"""verl and vLLM without an accelerator: a platform, two engines, copies of saved weights, a vLLM plug-in.

Nothing here knows of GMPO, and nothing here acts on a machine with a GPU.
"""
