r"""The embedded task: additions answered as ``\boxed{n}``, with a tokenizer and a warm-started model of its own.

Everything is made on the spot from a seed, so a run needs neither a network nor a GPU.
"""

from gmpo_verl.data.arithmetic.cache import EmbeddedFiles, prepare
from gmpo_verl.data.arithmetic.settings import ArithmeticTask

__all__ = ["ArithmeticTask", "EmbeddedFiles", "prepare"]
