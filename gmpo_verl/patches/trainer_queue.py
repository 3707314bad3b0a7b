"""Puts `RoundFields` where verl's trainer looks for the transfer queue.

verl 0.9.1 has no seam there: trainer/ppo/v1/trainer_base.py:30 imports the module `transfer_queue` as `tq`, and each
part of a round calls its functions (`tq.kv_batch_get` in lines 1664 to 1904, `tq.kv_batch_put` in 1669 to 1800).
"""

from typing import Any


def install(queue: Any) -> None:
    """For the trainer of this process."""
    from verl.trainer.ppo.v1 import trainer_base

    trainer_base.tq = queue
