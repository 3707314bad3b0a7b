"""Answers a second and accuracy of the reward: ours beside math-verify alone and verl's, on groups of real answers.

    GMPO_TEST_DATA=DIR python scripts/benchmarks/reward.py [--short] [--processes 2]

Every contender grades with the same number of processes on as many cores, warm, and without what an earlier round has
cached. They take turns, so that a busy machine is busy for all of them; "speed-up" is the median over rounds of the
ratio to math-verify within a round. "CPU ms" is the processor time of all processes for one answer, which other work on
the machine changes little. "cold start" is the time from import to the first answer that needs mathematics, in a
process of its own.
"""

import argparse
import asyncio
import logging
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import psutil
from reward_groups import GROUP_SIZE, Response, groups, load_problems
from rich import box
from rich.console import Console
from rich.table import Table

BASELINE = "math-verify alone"
NEEDS_MATHEMATICS = Response(r"$\boxed{(x+1)^2}$", "x^2+2x+1", "rewritten")
KINDS = {"verbatim": "verbatim", "rewritten": "rewritten", "next": "next problem's"}

COLD_START = r"""
import logging, time
logging.disable(logging.CRITICAL)
response, truth = r"$\boxed{(x+1)^2}$", "x^2+2x+1"
started = time.perf_counter()
"""
COLD_STARTS = {
    "gmpo_verl": "from gmpo_verl.rewards.math_reward import grade; assert grade(response, truth)['score'] == 1",
    BASELINE: "from math_verify import parse, verify; assert verify(parse(f'${truth}$'), parse(response))",
    "verl's math_verify": """
from verl.utils.reward_score.math_verify import compute_score
while compute_score(response, truth) != 1:  # it waits 30 s for its process, then gives 0
    pass""",
}


class Round(NamedTuple):
    seconds: float
    cpu_s: float
    verdicts: list[bool]


class Ours:
    """Every answer through the pool, from asyncio, as verl's reward loop asks."""

    def __init__(self, processes: int) -> None:
        from gmpo_verl.rewards.grading_pool import GradingPool

        self._pool = GradingPool(max_workers=processes)
        self.grade([NEEDS_MATHEMATICS])
        while len(self._pool.pids()) <= processes:
            time.sleep(0.01)

    def grade(self, responses: list[Response]) -> list[bool]:
        from gmpo_verl.rewards.answer import extract_answer

        async def graded() -> list[bool]:
            answers = [extract_answer(response.text) or "" for response in responses]
            verdicts = (
                self._pool.grade_async(answer, response.ground_truth)
                for answer, response in zip(answers, responses, strict=True)
            )
            return [verdict.correct for verdict in await asyncio.gather(*verdicts)]

        return asyncio.run(graded())

    def close(self) -> None:
        self._pool.close()


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def _math_verify(response: Response) -> bool:
    from math_verify import parse, verify

    return verify(parse(rf"\boxed{{{response.ground_truth}}}"), parse(response.text))


class MathVerify:
    """Its own parse and verify, with its own timeouts, in a plain process pool."""

    def __init__(self, processes: int) -> None:
        self._pool = warm_executor(processes)

    def grade(self, responses: list[Response]) -> list[bool]:
        return list(self._pool.map(_math_verify, responses, chunksize=GROUP_SIZE))

    def close(self) -> None:
        self._pool.shutdown()


class Verl:
    """verl's scoring function, from threads as its reward loop calls it, with a process pool of the same size."""

    def __init__(self, processes: int) -> None:
        from verl.utils.reward_score import math_verify

        math_verify._pool = self._pool = warm_executor(processes)
        self._threads = ThreadPoolExecutor(4 * processes)
        while not all(self.grade([NEEDS_MATHEMATICS] * 4 * processes)):
            pass  # its processes import the whole of verl first, and it waits 30 s for a verdict, then gives 0

    def grade(self, responses: list[Response]) -> list[bool]:
        from verl.utils.reward_score.math_verify import compute_score

        scores = self._threads.map(lambda response: compute_score(response.text, response.ground_truth), responses)
        return [score == 1.0 for score in scores]

    def close(self) -> None:
        self._threads.shutdown()
        self._pool.shutdown()


CONTENDERS = {"gmpo_verl": Ours, BASELINE: MathVerify, "verl's math_verify": Verl}


def warm_executor(processes: int) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_quiet)
    list(pool.map(_math_verify, [NEEDS_MATHEMATICS] * 8 * processes))
    return pool


def measure(responses: list[Response], processes: int, rounds: int) -> dict[str, list[Round]]:
    results: dict[str, list[Round]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, contender_class in CONTENDERS.items():
            contender = contender_class(processes)
            started, cpu_before = time.perf_counter(), cpu_s()
            verdicts = contender.grade(responses)
            results[name].append(Round(time.perf_counter() - started, cpu_s() - cpu_before, verdicts))
            contender.close()
    return results


def cpu_s() -> float:
    """Processor time of this process and its children."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def accuracy(responses: list[Response], verdicts: list[bool], kind: str | None = None) -> float:
    """The fraction of responses (of one kind) whose verdict is right."""
    judged = [
        verdict == response.is_right
        for response, verdict in zip(responses, verdicts, strict=True)
        if kind in (None, response.kind)
    ]
    return sum(judged) / len(judged)


def cold_start_s(code: str) -> float:
    """From import to the first verdict, in a fresh process; the start of the interpreter itself is not counted."""
    program = f"{COLD_START}{code}\nprint(time.perf_counter() - started)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return float(output.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="40 problems of each set, one round")
    parser.add_argument("--problems", type=int, default=300, help="problems of each set (8 responses each)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="and cores")
    options = parser.parse_args()
    if options.short:
        options.problems, options.rounds = 40, 1
    folder = Path(os.environ.get("GMPO_TEST_DATA", ""))
    if not (folder / "MATH").is_dir():
        parser.error("set GMPO_TEST_DATA to a folder with MATH/ and understand_r1_zero/")
    cores = sorted(os.sched_getaffinity(0))
    if options.processes > len(cores):
        parser.error(f"--processes={options.processes}: there are {len(cores)} cores")
    os.sched_setaffinity(0, cores[: options.processes])
    _quiet()

    table = Table(title=f"Rewards, {options.processes} processes", box=box.SIMPLE_HEAD)
    table.add_column("answers of", no_wrap=True)
    table.add_column("graded by", no_wrap=True)
    for column in ("a second", "speed-up", "CPU ms", "accuracy", *KINDS.values(), "cold start, s"):
        table.add_column(column, justify="right")
    cold_starts = {
        name: statistics.median(cold_start_s(code) for _ in range(options.rounds)) for name, code in COLD_STARTS.items()
    }
    for set_name, problems in load_problems(folder).items():
        responses = groups(problems, options.problems)
        results = measure(responses, options.processes, options.rounds)
        for name, rounds in results.items():
            pairs = zip(results[BASELINE], rounds, strict=True)
            verdicts = rounds[-1].verdicts
            table.add_row(
                f"{set_name} ({len(responses)})",
                name,
                f"{len(responses) / statistics.median(round_.seconds for round_ in rounds):,.0f}",
                f"{statistics.median(baseline.seconds / round_.seconds for baseline, round_ in pairs):.1f}",
                f"{1000 * statistics.median(round_.cpu_s for round_ in rounds) / len(responses):.2f}",
                f"{accuracy(responses, verdicts):.4f}",
                *(f"{accuracy(responses, verdicts, kind):.4f}" for kind in KINDS),
                f"{cold_starts[name]:.1f}",
            )
        table.add_section()
    Console(width=130).print(table)  # in full, in a log too


if __name__ == "__main__":
    main()
