"""The small parent of a run: starts the driver, watches its processes, and leaves nothing of the run behind.

Standard library, psutil and rich only: this package is what still works when Ray, vLLM or the driver do not.
"""
