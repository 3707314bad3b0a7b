"""Seconds of one training round of the paper's 7B recipe on a cluster, and what each change to it would save.

    python scripts/benchmarks/round_model.py [--gpu h100] [--gpus 8 64] [--response-tokens 800] [--overhead-ms 3]

No GPU is used: `round_parts.py` has the formulas, README.md the sources, and where the numbers are likely wrong.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from rich import box
from rich.console import Console
from rich.table import Table
from round_parts import (
    Machine,
    Model,
    Round,
    mean_position,
    parts,
    prefill_seconds,
    steady_generation_seconds,
    sync_seconds,
)

MODELS = {
    "7B": Model(layers=28, hidden=3584, heads=28, kv_heads=4, ffn=18944, vocabulary=152064),
    "1.5B": Model(layers=28, hidden=1536, heads=12, kv_heads=2, ffn=8960, vocabulary=151936, tied=True),
    "32B": Model(layers=64, hidden=5120, heads=40, kv_heads=8, ffn=27648, vocabulary=152064),
}
MACHINES = {
    "h100": Machine(flops=989e12, hbm=3.35e12, memory=80e9, nvlink=450e9, network=50e9, utilization=0.36),
    "a100": Machine(flops=312e12, hbm=2.04e12, memory=80e9, nvlink=300e9, network=25e9, utilization=0.31),
}
STATE_BYTES = 16  # of a parameter: weight, gradient and two moments in float32
EAGER_STEP_S = 20e-3  # of a decoding step without CUDA graphs


def round_seconds(model: Model, machine: Machine, setup: Round, gpus: int) -> float:
    return sum(parts(model, machine, setup, gpus).values())


def colocate_async_seconds(model: Model, machine: Machine, setup: Round, gpus: int) -> float:
    """All parts on all GPUs, generation without a tail: two rounds are in flight when it starts, one when it stops.

    What is unfinished then is prefilled again.
    """
    context = setup.prompt_tokens + mean_position(setup.lengths(setup.size))
    generation = steady_generation_seconds(model, machine, setup, gpus, in_flight=1.5 * setup.size)
    again = prefill_seconds(model, machine, setup.size * context, context / 2, gpus)
    return sum((parts(model, machine, setup, gpus) | {"generation": generation + again}).values())


def fits(model: Model, machine: Machine, gpus: int) -> bool:
    """The optimizer's state leaves half of the memory to activations and the rollout."""
    return STATE_BYTES * model.parameters / gpus <= machine.memory / 2


def separate_async_splits(model: Model, machine: Machine, setup: Round, gpus: int) -> dict[int, float]:
    """max(generation on some GPUs, the rest on the others) + weight sync, by the number of GPUs that train.

    That number divides a mini-batch. One round of responses is in flight, so that there is no tail.
    """
    mini_batch = setup.size // setup.updates
    splits = {}
    for trainers in range(1, gpus):
        if mini_batch % trainers == 0 and fits(model, machine, trainers):
            rest = parts(model, machine, setup, trainers) | {"generation": 0.0, "weight sync": 0.0}
            generation = steady_generation_seconds(model, machine, setup, gpus - trainers, in_flight=setup.size)
            splits[trainers] = max(generation, sum(rest.values())) + sync_seconds(model, machine, gpus)
    return splits


def separate_async_seconds(model: Model, machine: Machine, setup: Round, gpus: int) -> float:
    return min(separate_async_splits(model, machine, setup, gpus).values())


Cost = Callable[[Model, Machine, Round, int], float]


def changes(base: Round) -> list[tuple[str, Cost, Round]]:
    half = replace(base, pruned=0.5)
    return [
        *((f"{share:.0%} pruned", round_seconds, replace(base, pruned=share)) for share in (0.25, 0.5, 0.75)),
        ("no old log-probs (bypass)", round_seconds, replace(base, bypass=True)),
        ("updates balanced over ranks", round_seconds, replace(base, balanced=True)),
        ("half the Python of a response", round_seconds, replace(base, overhead=base.overhead / 2)),
        *((f"rollout tensor parallel {n}", round_seconds, replace(base, tensor_parallel=n)) for n in (2, 4, 8)),
        ("colocate_async", colocate_async_seconds, base),
        ("colocate_async, 50% pruned", colocate_async_seconds, half),
        ("separate_async", separate_async_seconds, base),
        ("separate_async, 50% pruned, bypass", separate_async_seconds, replace(half, bypass=True)),
    ]


def assumptions(base: Round, machine: Machine) -> list[tuple[str, Model, Machine, Round]]:
    rounds = {
        "as above": base,
        "mean response / 2": replace(base, response_tokens=base.response_tokens / 2),
        "mean response x 2": replace(base, response_tokens=base.response_tokens * 2),
        "limit / 2": replace(base, limit=base.limit // 2),
        "mean and limit x 4": replace(base, response_tokens=base.response_tokens * 4, limit=base.limit * 4),
        "lengths spread by 0.45": replace(base, spread=0.45),
        "lengths spread by 0.85": replace(base, spread=0.85),
        "decoding without CUDA graphs": replace(base, step_overhead=EAGER_STEP_S),
    }
    return [
        *((name, MODELS["7B"], machine, setup) for name, setup in rounds.items()),
        ("one network card a node", MODELS["7B"], replace(machine, network=machine.network / 8), base),
        ("utilization 0.5", MODELS["7B"], replace(machine, utilization=0.5), base),
        ("1.5B", MODELS["1.5B"], machine, base),
        ("32B, tensor parallel 4", MODELS["32B"], machine, replace(base, tensor_parallel=4)),
    ]


def make_table(title: str, first: str, columns: Sequence[str], gpus: Sequence[int]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for n in gpus:
        for column in columns:
            table.add_column(f"{column} ({n})", justify="right", no_wrap=True)
    return table


def parts_table(machine: Machine, base: Round, gpus: Sequence[int]) -> Table:
    table = make_table("A synchronous round of the 7B model (on N GPUs)", "part", ("s", "%"), gpus)
    costs = {n: parts(MODELS["7B"], machine, base, n) for n in gpus}
    for n in gpus:
        costs[n]["round"] = sum(costs[n].values())
    for part in costs[gpus[0]]:
        pairs = [(f"{costs[n][part]:.1f}", f"{costs[n][part] / costs[n]['round']:.0%}") for n in gpus]
        table.add_row(part, *chain.from_iterable(pairs))
    return table


def changes_table(machine: Machine, base: Round, gpus: Sequence[int]) -> Table:
    table = make_table("The round with a change", "change", ("s", "saved s", "saved %"), gpus)
    for name, cost, setup in changes(base):
        cells = []
        for n in gpus:
            whole, changed = round_seconds(MODELS["7B"], machine, base, n), cost(MODELS["7B"], machine, setup, n)
            cells += [f"{changed:.1f}", f"{whole - changed:.1f}", f"{1 - changed / whole:.0%}"]
        table.add_row(name, *cells)
    return table


def assumptions_table(machine: Machine, base: Round, gpus: Sequence[int]) -> Table:
    table = make_table("What it depends on, s", "assumption", ("generation", "passes", "round"), gpus)
    for name, model, other, setup in assumptions(base, machine):
        cells = []
        for n in gpus:
            costs = parts(model, other, setup, n)
            columns = (costs["generation"], costs["old log-probs"] + costs["update"], sum(costs.values()))
            cells += [f"{seconds:.1f}" if fits(model, other, n) else "-" for seconds in columns]
        table.add_row(name, *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", choices=MACHINES, default="h100")
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64], help="numbers of GPUs, in nodes of eight")
    parser.add_argument("--response-tokens", type=float, default=Round.response_tokens, help="mean of a response")
    parser.add_argument("--overhead-ms", type=float, default=Round.overhead * 1e3, help="Python of a response")
    options = parser.parse_args()
    machine = MACHINES[options.gpu]
    base = Round(response_tokens=options.response_tokens, overhead=options.overhead_ms / 1e3)
    possible = [n for n in (8, 16, 32, 64, 128) if fits(MODELS["7B"], machine, n)]
    if not set(options.gpus) <= set(possible):
        parser.error(f"--gpus must be some of {possible}, which divide a mini-batch and hold the model")

    console = Console(width=120)
    for table in (parts_table, changes_table, assumptions_table):
        console.print(table(machine, base, options.gpus))
    for n in options.gpus:
        splits = separate_async_splits(MODELS["7B"], machine, base, n)
        console.print(f"separate_async on {n} GPUs trains on {min(splits, key=splits.__getitem__)}")


if __name__ == "__main__":
    main()
