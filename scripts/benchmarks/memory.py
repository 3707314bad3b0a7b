"""Memory of every part of a run over many steps of the embedded task.

    python scripts/benchmarks/memory.py [--steps 500] [--after 50]

Proportional set sizes, read every five seconds. The slope is that of a least-squares line over the readings after
`--after` steps; a part whose memory is flat has a slope near zero whatever its size.
"""

import argparse
import statistics
import time

from rich import box
from rich.console import Console
from rich.table import Table
from watched_run import WatchedRun, memory_by_role

EVERY_S = 5.0
TOTAL, OTHERS = "all", "Ray's other processes and graders"


def measure(steps: int) -> list[tuple[int, dict[str, int]]]:
    """(step, bytes by role), a reading every EVERY_S seconds while the run trains."""
    readings = []
    with WatchedRun(f"trainer.total_training_steps={steps}") as run:
        while run.is_alive and (done := len(run.steps())) < steps:
            sizes = memory_by_role(run)
            if done and run.is_alive:
                sizes[OTHERS] = sizes.pop("", 0)
                readings.append((done, sizes | {TOTAL: sum(sizes.values())}))
            time.sleep(EVERY_S)
    return readings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--after", type=int, default=50, help="steps of the warm-up, which the slope leaves out")
    options = parser.parse_args()
    if not 0 <= options.after < options.steps - 50:
        parser.error("--steps must be at least 50 more than --after")

    readings = [reading for reading in measure(options.steps) if reading[0] > options.after]
    table = Table(title=f"Memory, steps {options.after} to {options.steps}", box=box.SIMPLE_HEAD)
    for column in ("", "first MB", "last MB", "slope MB a step"):
        table.add_column(column, justify="right" if column else "left")
    for role in sorted(readings[-1][1], key=lambda role: -readings[-1][1][role]):
        steps = [step for step, sizes in readings if role in sizes]
        megabytes = [sizes[role] / 1e6 for _, sizes in readings if role in sizes]
        slope = statistics.linear_regression(steps, megabytes).slope
        table.add_row(role, f"{megabytes[0]:.0f}", f"{megabytes[-1]:.0f}", f"{slope:+.3f}")
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
