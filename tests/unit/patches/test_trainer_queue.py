"""verl's trainer reads and writes its rounds where the patch says."""

import transfer_queue
from verl.trainer.ppo.v1 import trainer_base

from gmpo_verl.patches import trainer_queue


def test_verls_trainer_still_takes_the_queue_from_its_module():
    """When this fails, verl may have a seam for it: see `gmpo_verl.patches.trainer_queue`."""
    assert trainer_base.tq is transfer_queue


def test_the_trainer_uses_what_is_installed(monkeypatch):
    monkeypatch.setattr(trainer_base, "tq", transfer_queue)
    mine = object()
    trainer_queue.install(mine)
    assert trainer_base.tq is mine
