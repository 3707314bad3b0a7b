"""Time of a step against the number of responses, their length, and the ranks, with the exponent of each.

    python scripts/benchmarks/scaling.py [--short] [--steps 3]

A step samples, grades and learns from every response (8 a prompt, 4 optimizer steps); the reward gives every response
another score, so nothing is pruned. The model is a Qwen2 of 1.3 M random parameters, small enough that what a response
costs beside its tokens shows, and every response has all its tokens. Each row is a run of the command; a step's time is
the median after one warm-up step, from the end of the step before to its own end. An exponent is the slope of the
logarithms over a table's rows, by least squares: 1 is linear, 0 costs nothing more.
"""

import argparse
import signal
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from random_model import make_model
from rich import box
from rich.console import Console
from rich.table import Table
from step_contenders import Step, run
from step_task import REWARD_FILE, Task, make_task

GROUP, UPDATES, PROMPT_TOKENS = 8, 4, 16
RESPONSES = (128, 256, 512, 1024, 2048, 4096)
LENGTHS = (16, 32, 64, 128, 256, 512)
FIXED_RESPONSES, FIXED_LENGTH = 256, 16  # of the other table
RANKS = (1, 2)
WARM_UPS = 1
PHASES = ("gen", "old_log_prob", "update_actor")


class Point(NamedTuple):
    responses: int
    length: int
    ranks: int


class Times(NamedTuple):
    step: float
    phases: dict[str, float]


def measure(point: Point, steps: int, task: Task, folder: Path) -> Times:
    prompts = point.responses // GROUP
    tokens = max(4096, 2 * (PROMPT_TOKENS + point.length))
    overrides = [
        *task.overrides,
        f"data.train_batch_size={prompts}",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={prompts // UPDATES}",
        f"actor_rollout_ref.rollout.n={GROUP}",
        f"data.max_response_length={point.length}",
        f"actor_rollout_ref.actor.ppo_max_token_len_per_gpu={tokens}",
        f"actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu={tokens}",
        f"trainer.n_gpus_per_node={point.ranks}",
    ]
    place = folder / "-".join(map(str, point))
    taken: list[Step] = run("gmpo_verl", replace(task, overrides=overrides), WARM_UPS + steps, place, None)[WARM_UPS:]
    return Times(
        statistics.median(step.seconds for step in taken),
        {name: statistics.median(step.phases[name] for step in taken) for name in PHASES},
    )


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of log seconds over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else float("nan")


def table(title: str, varied: str, measured: dict[Point, Times]) -> Table:
    """One row a size of what varies, and the exponents below."""
    points = sorted(measured, key=lambda point: getattr(point, varied))
    sizes = [getattr(point, varied) for point in points]
    columns = {
        "step s": [measured[point].step for point in points],
        "ms a response": [measured[point].step / point.responses * 1e3 for point in points],
        **{phase: [measured[point].phases[phase] for point in points] for phase in PHASES},
    }
    result = Table(title=title, box=box.SIMPLE_HEAD)
    for name in (varied, *columns):
        result.add_column(name, justify="right", no_wrap=True)
    for row, size in enumerate(sizes):
        result.add_row(str(size), *(f"{column[row]:.2f}" for column in columns.values()))
    result.add_row("exponent", *(f"{exponent(sizes, column):.2f}" for column in columns.values()))
    return result


def small_task(folder: Path) -> Task:
    """The embedded job's settings with another model, another reward, and responses that do not end by themselves."""
    make_model(folder, PROMPT_TOKENS + max(LENGTHS), hidden=128, layers=2)
    task = make_task("toy", folder, 0)
    own = [
        f"actor_rollout_ref.model.path={folder}",
        f"data.max_prompt_length={PROMPT_TOKENS}",
        "actor_rollout_ref.rollout.ignore_eos=true",
        f"reward.custom_reward_function.path={REWARD_FILE}",
        # The project's own gives every response that has no end the same score, and so prunes them all.
        "reward.reward_manager.source=register",
        "reward.reward_manager.name=naive",
    ]
    return replace(task, overrides=[*task.overrides, *own], kv_cache_gib=2)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="of a run, after a warm-up step")
    parser.add_argument("--short", action="store_true", help="two sizes of each, one rank, 2 steps: minutes")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error("--steps must be at least 1")
    arguments.responses, arguments.lengths, arguments.ranks = RESPONSES, LENGTHS, RANKS
    if arguments.short:
        arguments.responses, arguments.lengths, arguments.ranks = (128, 512), (16, 64), (1,)
        arguments.steps = 2
    return arguments


def main() -> None:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a run at work is ended too
    console = Console(width=100)
    by_responses = [Point(size, FIXED_LENGTH, ranks) for ranks in arguments.ranks for size in arguments.responses]
    by_length = [Point(FIXED_RESPONSES, length, ranks) for ranks in arguments.ranks for length in arguments.lengths]
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)
        task = small_task(folder / "model")
        measured: dict[Point, Times] = {}
        for point in dict.fromkeys([*by_responses, *by_length]):
            console.print(f"{point.responses} responses of {point.length} tokens, {point.ranks} ranks")
            measured[point] = measure(point, arguments.steps, task, folder)
    for title, varied, points in (
        (f"A step against responses of {FIXED_LENGTH} tokens", "responses", by_responses),
        (f"A step against the length of {FIXED_RESPONSES} responses", "length", by_length),
    ):
        for ranks in arguments.ranks:
            own = {point: measured[point] for point in points if point.ranks == ranks}
            console.print(table(f"{title}, ranks: {ranks}", varied, own))


if __name__ == "__main__":
    main()
