"""The actor's loss in a training worker: verl's `ppo_loss`, told the round, and reporting on every response."""

from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.utils.losses import ppo_loss
from verl.workers.utils.padding import no_padding_2_padding

from gmpo_verl.algorithms.loss_metrics import response_statistics
from gmpo_verl.algorithms.policy_loss import objective_of, one_advantage_per_response

ROUND = "gmpo_round"  # of the run, from 1: sent with the batch
ROW = "gmpo_row"  # [B], a response's place in the round's batch: sent with the batch
PREFIX = "gmpo_response/"


def actor_loss(
    config: Any, model_output: dict[str, Any], data: TensorDict, dp_group: Any = None
) -> tuple[torch.Tensor, dict[str, Any]]:
    """verl's loss and metrics of one micro-batch, and the statistics of its responses.

    verl joins plain lists among the metrics over micro-batches, ranks and mini-batches as they are, where it averages
    numbers; so each statistic travels as a list of one number a response, under PREFIX.
    """
    if hasattr(config.policy_loss, "current_round"):
        config.policy_loss.current_round = tu.get_non_tensor_data(data, ROUND, default=None)
    loss, metrics = ppo_loss(config, model_output, data, dp_group)
    with torch.no_grad():
        statistics = _statistics(config, no_padding_2_padding(model_output["log_probs"], data), data)
    statistics["row"] = data[ROW]
    return loss, metrics | {PREFIX + name: values.tolist() for name, values in statistics.items()}


def _statistics(config: Any, log_probs: torch.Tensor, data: TensorDict) -> dict[str, torch.Tensor]:
    padded = data.select("response_mask", "old_log_probs", "advantages").to_padded_tensor()
    mask, advantages = padded["response_mask"].bool(), padded["advantages"]
    if config.policy_loss.loss_mode == "gmpo":
        objective, advantages_B = objective_of(config), one_advantage_per_response(advantages, mask)
    else:  # verl's own losses also take advantages that vary over a response
        objective, advantages_B = None, (advantages * mask).sum(-1) / mask.sum(-1).clamp(min=1)
    return response_statistics(log_probs, padded["old_log_probs"], mask, advantages_B, objective)
