"""verl's actor worker on one rank, for the programs that torchrun starts here.

The worker, its FSDP2 engine and its loss are verl's own, from composed configurations.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker
from verl.workers.utils.losses import ppo_loss

from gmpo_verl.config.compose import compose, group_options

POLICY_LOSS = "actor_rollout_ref.actor.policy_loss"
# Every loss by what the command line says for it; an annealed exponent needs the trainer that counts the rounds.
CONSTANT_EXPONENT = (f"{POLICY_LOSS}.mean_exponent_end=null", f"{POLICY_LOSS}.mean_exponent_rounds=null")
ALGORITHMS = {name: (f"algorithm={name}",) for name in group_options("algorithm")}
ALGORITHMS["power_mean"] += CONSTANT_EXPONENT

LOG_RATIO_SPREAD = 0.6  # standard deviation, against a window of +-0.4: many tokens clip, on either side

Rows = dict[str, list[torch.Tensor]]  # field by field, one tensor a response


class EngineActor:
    """verl's actor worker on this rank."""

    def __init__(self, model: str, *overrides: str) -> None:
        config = compose(["algorithm=gmpo", f"actor_rollout_ref.model.path={model}", *overrides])
        self.worker = ActorRolloutRefWorker(config.actor_rollout_ref, role="actor")
        self.worker.init_model()
        self.engine: Any = self.worker.actor.engine
        self.vocabulary = self.engine.model_config.hf_config.vocab_size

    def set_loss(self, overrides: Sequence[str], loss: Callable[..., Any] = ppo_loss) -> None:
        actor_config = omega_conf_to_dataclass(compose(overrides).actor_rollout_ref.actor)
        self.worker.set_loss_fn(partial(loss, config=actor_config))

    def gradient(self) -> torch.Tensor:
        """Of all parameters, flat, over all ranks."""
        return torch.cat([parameter.grad.full_tensor().flatten() for parameter in self.engine.module.parameters()])


def random_rows(
    prompt_lengths: Sequence[int],
    response_lengths: Sequence[int],
    advantages: Sequence[float],
    empty_responses: Sequence[int],
    vocabulary: int,
) -> Rows:
    """Responses as verl's trainer sends them; of an empty one no token counts, as where verl fills a batch up."""
    generator = torch.Generator().manual_seed(1)
    rows: Rows = {}
    for row, (prompt_length, length) in enumerate(zip(prompt_lengths, response_lengths, strict=True)):
        tokens = torch.randint(vocabulary, (prompt_length + length,), generator=generator)
        mask = torch.full((length,), int(row not in empty_responses))
        # The untrained model is close to uniform over its vocabulary.
        old_log_probs = LOG_RATIO_SPREAD * torch.randn(length, generator=generator) - math.log(vocabulary)
        for name, values in (
            ("input_ids", tokens),
            ("position_ids", torch.arange(len(tokens))),
            ("prompts", tokens[:prompt_length]),
            ("responses", tokens[prompt_length:]),
            ("response_mask", mask),
            ("loss_mask", mask),
            ("old_log_probs", old_log_probs),
            ("advantages", advantages[row] * mask),
        ):
            rows.setdefault(name, []).append(values)
    return rows


def this_ranks(rows: Sequence[int]) -> Sequence[int]:
    share = len(rows) // dist.get_world_size()
    return rows[dist.get_rank() * share : (dist.get_rank() + 1) * share]


def jagged(rows: Rows, chosen: Sequence[int]) -> TensorDict:
    """The chosen rows without padding."""
    fields = {
        name: torch.nested.as_nested_tensor([values[row] for row in chosen], layout=torch.jagged)
        for name, values in rows.items()
    }
    return tu.get_tensordict(fields, {})
