r"""CountDown, small: reach a target from a few given numbers with + - * /, answered as ``\boxed{(3*7)+5}``."""

from gmpo_verl.data.countdown.settings import CountdownTask

__all__ = ["CountdownTask"]
