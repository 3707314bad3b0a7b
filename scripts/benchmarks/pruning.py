"""Time of a round's passes over the model, with the responses that have no advantage left out, beside the whole round.

    CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 python scripts/benchmarks/pruning.py [--short]

The passes are `compute_log_prob` and `update_actor` of verl's own worker: FSDP2 on one CPU rank, float32, a Qwen2 of
29 M random parameters. Every group has as many tokens as any other. The rounds take turns, so that a busy machine is
busy for all of them; "of whole" is the median over repeats of the ratio to the whole round within a repeat. "CPU of
whole" is the same for the processor time, which other work on the machine changes little.

What the trainer does around these passes (rollouts, rewards, moving tensors) is not in these times.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from random_model import VOCABULARY, make_model
from rich import box
from rich.console import Console
from rich.table import Table
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker
from verl.workers.utils.padding import response_from_nested

from gmpo_verl.config.compose import compose
from gmpo_verl.trainer.actor_loss import ROW, actor_loss
from gmpo_verl.trainer.pruning import kept_rows

GROUPS = 20
PROMPT_TOKENS = 16
RESPONSE_TOKENS = (24, 40, 56, 72)  # of the responses of a group
WHOLE_SIZE = GROUPS * len(RESPONSE_TOKENS)
MICRO_BATCH_TOKENS = 512
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)  # of the groups that have no advantage
UPDATES = (1, 8)  # a round
TARGETS = {(1, 0.5): 0.55, (1, 0.9): 0.2}  # of the whole round's time


class Cost(NamedTuple):
    seconds: float
    cpu_s: float


class Actor:
    """verl's actor worker, alone in its process group."""

    def __init__(self, model: Path) -> None:
        os.environ |= {
            "RANK": "0",
            "WORLD_SIZE": "1",
            "LOCAL_RANK": "0",
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": "0",
        }
        config = compose(["algorithm=gmpo", f"actor_rollout_ref.model.path={model}"])
        self._worker = ActorRolloutRefWorker(config.actor_rollout_ref, role="actor")
        self._worker.init_model()
        loss_config = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
        self._worker.set_loss_fn(partial(actor_loss, config=loss_config))

    def passes(self, batch: TensorDict, updates: int) -> Cost:
        options = {"temperature": 1.0, "use_dynamic_bsz": True, "max_token_len_per_gpu": MICRO_BATCH_TOKENS}
        begin, cpu_begin = time.perf_counter(), time.process_time()
        tu.assign_non_tensor(batch, compute_loss=False, calculate_entropy=True, **options)
        log_probs = self._worker.compute_log_prob(batch.clone())["log_probs"]
        batch["old_log_probs"] = response_from_nested(log_probs, batch["response_mask"])
        tu.assign_non_tensor(
            batch,
            calculate_entropy=False,
            global_batch_size=WHOLE_SIZE // updates,
            mini_batch_size=len(batch) // updates,
            dataloader_kwargs={"shuffle": True},
        )
        self._worker.update_actor(batch)
        return Cost(time.perf_counter() - begin, time.process_time() - cpu_begin)


def make_round(share: float, updates: int, prunes: bool) -> TensorDict:
    """A round in which a share of the groups has no advantage: all of its responses, or those that the passes need."""
    generator = torch.Generator().manual_seed(0)
    groups = [str(group) for group in range(GROUPS) for _ in RESPONSE_TOKENS]
    lengths = RESPONSE_TOKENS * GROUPS
    without = round(share * GROUPS) * len(RESPONSE_TOKENS)
    advantages = np.array([0.0] * without + [1.0, -1.0] * ((len(groups) - without) // 2))
    chosen = kept_rows(advantages, groups, np.array(lengths), updates) if prunes else range(len(groups))
    fields: dict[str, list[torch.Tensor]] = {}
    for row in chosen:
        tokens = torch.randint(VOCABULARY, (PROMPT_TOKENS + lengths[row],), generator=generator)
        mask = torch.ones(lengths[row], dtype=torch.int64)
        for name, values in (
            ("input_ids", tokens),
            ("position_ids", torch.arange(len(tokens))),
            ("prompts", tokens[:PROMPT_TOKENS]),
            ("responses", tokens[PROMPT_TOKENS:]),
            ("response_mask", mask),
            ("loss_mask", mask),
            ("advantages", advantages[row] * mask),
        ):
            fields.setdefault(name, []).append(values)
    jagged = {name: torch.nested.as_nested_tensor(rows, layout=torch.jagged) for name, rows in fields.items()}
    batch = tu.get_tensordict(jagged, {})
    batch[ROW] = torch.tensor(chosen)
    return batch


def measure(
    actor: Actor, shares: tuple[float, ...], updates: int, repeats: int
) -> tuple[list[Cost], dict[float, list[Cost]]]:
    """The costs of the whole round, and of the pruned round of every share, one a repeat."""
    whole: list[Cost] = []
    pruned: dict[float, list[Cost]] = {share: [] for share in shares}
    rounds = [(whole, 0.0, False), *((costs, share, True) for share, costs in pruned.items())]
    order = random.Random(0)
    for _ in range(repeats):
        for costs, share, prunes in order.sample(rounds, len(rounds)):
            costs.append(actor.passes(make_round(share, updates, prunes), updates))
    return whole, pruned


def cells(costs: list[Cost], whole: list[Cost], responses: int) -> tuple[str, ...]:
    pairs = list(zip(costs, whole, strict=True))
    return (
        str(responses),
        f"{statistics.median(cost.seconds for cost in costs):.2f}",
        f"{statistics.median(cost.seconds / base.seconds for cost, base in pairs):.3f}",
        f"{statistics.median(cost.cpu_s / base.cpu_s for cost, base in pairs):.3f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="measured rounds of every kind")
    parser.add_argument("--short", action="store_true", help="shares 0.5 and 0.9, one repeat: minutes")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    if torch.cuda.is_available():
        parser.error("this is a measurement of the CPU: set CUDA_VISIBLE_DEVICES= in the environment")
    shares, repeats = ((0.5, 0.9), 1) if options.short else (SHARES, options.repeats)

    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), positions=PROMPT_TOKENS + max(RESPONSE_TOKENS))
        actor = Actor(Path(folder))
    actor.passes(make_round(0.9, 1, prunes=True), 1)  # the optimizer's state comes with the first step

    table = Table(title=f"Old log-probs and update (CPU, threads: {torch.get_num_threads()})", box=box.SIMPLE_HEAD)
    for column in ("updates", "no advantage", "responses", "time s", "of whole", "CPU of whole", "target"):
        table.add_column(column, justify="right", no_wrap=True)
    for updates in UPDATES:
        whole, pruned = measure(actor, shares, updates, repeats)
        table.add_row(str(updates), "whole", *cells(whole, whole, WHOLE_SIZE), "")
        for share, costs in pruned.items():
            responses = len(make_round(share, updates, prunes=True))
            target = TARGETS.get((updates, share))
            table.add_row(str(updates), f"{share:.2f}", *cells(costs, whole, responses), f"{target or ''}")
        table.add_section()
    Console(width=100).print(table)  # in full, in a log too


if __name__ == "__main__":
    main()
