"""Time of a whole GMPO step: ours beside stock verl, TRL and a plain PyTorch loop, on the same task and CPU cores.

    python scripts/benchmarks/step.py [--short] [--size toy|real|both] [--repeats 3] [--trl DIR]

A step is a round: 32 prompts x 8 responses are sampled, graded, and learned from in 4 optimizer steps; each contender
makes one pass for the old log-probs and one update pass over every response, and ours leaves out responses without an
advantage. `toy` is the embedded job (0.46 M parameters, some 6 tokens a response); `real` is a Qwen2 of 29 M random
parameters, 256 tokens (`--tokens`) in every response, and a reward that gives every response another score.

The contenders run one after the other, in another order in each repeat. All have the same OMP_NUM_THREADS: 1 for
`toy`, whose tensors are too small for more, and all cores for `real`, where verl's processes work in turns. A step's
time runs from the end of the step before to its own. "vs plain" is the median over repeats of the ratio of median
steps within a repeat; "over plain" is the time beyond the plain loop's, for each response. Grading is part of the
rollouts; "rest" is what no other column names. "CPU s" is the processor time of all processes of a contender, which
other work on the machine changes less than the clock's.

The real size takes several minutes a step. TRL's loop takes part where TRL is installed in a folder of its own, which
verl must not find: pip install --no-deps --target DIR trl==1.16.0, then --trl DIR.
"""

import argparse
import random
import signal
import statistics
import sys
import tempfile
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from step_contenders import CONTENDERS, TRL, Step, run
from step_task import Task, make_task

BASELINE = "plain loop"
PHASE_TITLES = {
    "gen": "rollouts",
    "old_log_prob": "old lp",
    "update_actor": "update",
    "update_weights": "weights",
    "rest": "rest",
}
STEPS = {"toy": 40, "real": 3}
SHORT_STEPS = 12
WARM_UPS = {"toy": 5, "real": 1}  # steps, at least the first, whose beginning nobody sees


def measure(task: Task, options: argparse.Namespace, console: Console) -> dict[str, list[list[Step]]]:
    """The steps of every run, a run a repeat."""
    names, steps = options.contenders, options.steps or STEPS[task.name]
    runs: dict[str, list[list[Step]]] = {name: [] for name in names}
    order = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="step-") as folder:
        for repeat in range(options.repeats):
            for name in order.sample(names, len(names)):
                console.print(f"{task.name}, repeat {repeat + 1} of {options.repeats}: {name}")
                place = Path(folder) / f"{repeat}-{name.replace(' ', '-')}"
                runs[name].append(run(name, task, steps, place, options.trl))
    return runs


def cells(runs: list[list[Step]], base: list[list[Step]] | None, warm_ups: int, responses: int) -> list[str]:
    """The cells of a contender; `base` has the plain loop's runs of the same repeats."""
    measured = [step for steps in runs for step in steps[warm_ups:]]
    seconds, cpu_s = medians(runs, "seconds", warm_ups), medians(runs, "cpu_s", warm_ups)
    base_seconds, base_cpu_s = (medians(base or [], name, warm_ups) for name in ("seconds", "cpu_s"))
    phases = (statistics.median(step.phases[name] for step in measured) for name in PHASE_TITLES)
    over = [(own - plain) / responses * 1e3 for own, plain in zip(seconds, base_seconds, strict=False)]
    return [
        f"{statistics.median(seconds):.2f}",
        ratio(seconds, base_seconds),
        f"{statistics.median(cpu_s):.2f}",
        ratio(cpu_s, base_cpu_s),
        f"{responses / statistics.median(seconds):.1f}",
        f"{statistics.median(over):.2f}" if over else "",
        *(f"{phase:.2f}" for phase in phases),
        f"{statistics.mean(step.pruned for step in measured):.2f}",
        f"{mean_reward(runs, 0):.2f} to {mean_reward(runs, -1):.2f}",
    ]


def medians(runs: list[list[Step]], name: str, warm_ups: int) -> list[float]:
    """The median of a number of the measured steps, for each run."""
    return [statistics.median(getattr(step, name) for step in steps[warm_ups:]) for steps in runs]


def ratio(own: list[float], base: list[float]) -> str:
    """The median over repeats of the ratio within a repeat; empty where there is no base."""
    ratios = [mine / plain for mine, plain in zip(own, base, strict=False)]
    return f"{statistics.median(ratios):.2f}" if ratios else ""


def mean_reward(runs: list[list[Step]], step: int) -> float:
    return statistics.mean(steps[step].reward for steps in runs)


def results_table(task: Task, runs: dict[str, list[list[Step]]]) -> Table:
    tokens = f"{'up to ' if task.ends_early else ''}{task.max_response_tokens} tokens"
    table = Table(
        title=f"A step: {task.name}, {task.prompts} x {task.responses} responses, {tokens}, threads: {task.threads}",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("contender", no_wrap=True)
    costs = ("step s", "vs plain", "CPU s", "vs plain", "resp./s", "over plain ms")
    for title in (*costs, *PHASE_TITLES.values(), "pruned", "mean reward"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, own in runs.items():
        table.add_row(name, *cells(own, runs.get(BASELINE), WARM_UPS[task.name], task.round_size))
    return table


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("toy", "real", "both"), default="both")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3, help="runs of every contender")
    parser.add_argument("--steps", type=int, help="of a run; 40 of the toy and 3 of the real size")
    parser.add_argument("--tokens", type=int, default=256, help="of every response of the real size")
    parser.add_argument("--trl", type=lambda text: Path(text).absolute(), metavar="DIR", help="where TRL is installed")
    parser.add_argument("--short", action="store_true", help="the toy, 12 steps, one repeat: minutes")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error("--repeats must be at least 1")
    if arguments.tokens < 1:
        parser.error("--tokens must be at least 1")
    if arguments.trl and not (arguments.trl / "trl").is_dir():
        parser.error(f"--trl {arguments.trl} holds no package trl: pip install --no-deps --target DIR trl==1.16.0")
    if torch.cuda.is_available():
        parser.error("this is a measurement of the CPU: run it on a machine without a GPU")
    if arguments.short:
        arguments.size, arguments.steps, arguments.repeats = "toy", SHORT_STEPS, 1
    arguments.sizes = list(STEPS) if arguments.size == "both" else [arguments.size]
    for size in arguments.sizes:
        if arguments.steps is not None and arguments.steps <= WARM_UPS[size]:
            parser.error(f"--steps must be more than the {WARM_UPS[size]} warm-up steps of the {size} size")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a contender at work is ended too
    console = Console(width=150)  # the table in full, in a log too
    if TRL in arguments.contenders and not arguments.trl:
        console.print("TRL is left out: pip install --no-deps --target DIR trl==1.16.0, then add --trl DIR")
        arguments.contenders.remove(TRL)
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as model:
            task = make_task(size, Path(model), arguments.tokens)
            runs = measure(task, arguments, console)
        console.print(results_table(task, runs))


if __name__ == "__main__":
    main()
