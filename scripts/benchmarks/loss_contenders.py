"""The losses that `loss.py` compares, on the same tensors: ours, verl's, and TRL's where it is installed."""

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.workers.config import FSDPActorConfig

CLIP = 0.4
BASELINE = "verl vanilla"


@dataclass(frozen=True)
class Batch:
    """What verl gives a policy loss, all [B, T]: floats, and a mask of bool."""

    log_prob: torch.Tensor
    old_log_prob: torch.Tensor
    advantages: torch.Tensor
    mask: torch.Tensor

    @property
    def unavoidable_bytes(self) -> int:
        gradient = self.log_prob
        return sum(tensor.nbytes for tensor in (self.log_prob, self.old_log_prob, self.mask, gradient))


Loss = Callable[[Batch], torch.Tensor]


def random_batch(rows: int, tokens: int, dtype: torch.dtype, device: str) -> Batch:
    """Responses of T/10 to T tokens, one in eight without advantage, two log ratios in a hundred outside the window."""
    generator = torch.Generator().manual_seed(0)
    old_log_prob = (-torch.rand(rows, tokens, generator=generator)).log1p()  # rand is never 1, but may be 0
    log_prob = old_log_prob + 0.17 * torch.randn(rows, tokens, generator=generator)
    mask = torch.arange(tokens) < torch.randint(tokens // 10, tokens + 1, (rows, 1), generator=generator)
    advantages_B1 = torch.randn(rows, 1, generator=generator) * (torch.arange(rows) % 8 > 0).unsqueeze(-1)
    return Batch(
        log_prob=log_prob.to(device, dtype).requires_grad_(),
        old_log_prob=old_log_prob.to(device, dtype),
        advantages=(advantages_B1 * mask).to(device),
        mask=mask.to(device),
    )


def verl_loss(name: str, batch: Batch, compiled: bool = False) -> Loss:
    """A registered policy loss as verl's `ppo_loss` calls it."""
    rows, tokens = len(batch.mask), int(batch.mask.sum())
    config = FSDPActorConfig(
        strategy="fsdp2",
        rollout_n=8,
        ppo_micro_batch_size_per_gpu=rows,
        clip_ratio=CLIP,
        clip_ratio_low=CLIP,
        clip_ratio_high=CLIP,
        loss_agg_mode="seq-mean-token-mean",
    )
    config.global_batch_info.update(
        dp_size=1, batch_num_tokens=tokens, global_batch_size=rows, loss_scale_factor=config.loss_scale_factor
    )
    function = get_policy_loss_fn(name)
    if compiled:
        torch.compiler.reset()  # each shape for itself, instead of one kernel for all from the second shape on
        function = torch.compile(function)

    def loss(batch: Batch) -> torch.Tensor:
        return function(
            old_log_prob=batch.old_log_prob,
            log_prob=batch.log_prob,
            advantages=batch.advantages,
            response_mask=batch.mask,
            loss_agg_mode=config.loss_agg_mode,
            config=config,
            rollout_is_weights=None,
        )[0]

    return loss


def trl_trainer() -> Any:
    """TRL's GMPOTrainer, or None where TRL is not installed."""
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    try:
        from trl.experimental.gmpo import GMPOTrainer
    except ImportError:
        return None
    return GMPOTrainer


def trl_loss(trainer_class: Any, batch: Batch) -> Loss:
    """`_compute_loss` of TRL's GMPOTrainer, unbound, on a stand-in for the trainer.

    TRL's: every tensor operation, its metrics and its copy of the mask for the model included. The stand-in's: the
    attributes that the method reads, log probabilities and entropies instead of a forward pass, and an accelerator of
    one process. Token ids and the prompt only reach the forward pass, so they have no width.
    """
    entropies = -batch.old_log_prob
    mask = batch.mask.long()  # as TRL makes it
    no_tokens = mask[:, :0]
    inputs = {
        "prompt_ids": no_tokens,
        "prompt_mask": no_tokens,
        "completion_ids": no_tokens,
        "completion_mask": mask,
        "advantages": batch.advantages[:, 0].clone(),
        "old_per_token_logps": batch.old_log_prob,
    }
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (batch.log_prob, entropies, None),
        model=SimpleNamespace(training=True),
        accelerator=SimpleNamespace(reduce=lambda tensor, reduction: tensor, gather=lambda tensor: tensor),
        top_entropy_quantile=1.0,
        epsilon_low=CLIP,
        epsilon_high=CLIP,
        beta=0.0,
        current_gradient_accumulation_steps=1,
        _metrics={"train": defaultdict(list)},
    )
    return lambda _: trainer_class._compute_loss(trainer, None, inputs)


def contenders(batch: Batch, with_compiled: bool, trainer_class: Any) -> dict[str, Loss]:
    losses = {
        "gmpo": verl_loss("gmpo", batch),
        BASELINE: verl_loss("vanilla", batch),
        "verl geo_mean": verl_loss("geo_mean", batch),
    }
    if with_compiled:
        losses["gmpo, compiled"] = verl_loss("gmpo", batch, compiled=True)
    if trainer_class is not None:
        losses["TRL GMPOTrainer"] = trl_loss(trainer_class, batch)
    return losses
