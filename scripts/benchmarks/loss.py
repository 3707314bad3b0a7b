"""Time and peak memory of a policy loss and its gradient: ours beside verl's and TRL's, on the same tensors.

    OMP_NUM_THREADS=1 python scripts/benchmarks/loss.py [--short] [--device cuda] [--compile]

The contenders take turns, so that a busy machine is busy for all of them; "vs vanilla" is the median over rounds of the
ratio within a round. "peak" is what is allocated beyond the inputs, the gradient included. "floor" is the time to copy
the bytes that no implementation can avoid: log_prob, old_log_prob and mask read once, the gradient written once.

TRL's loss takes part where TRL is installed: pip install --no-deps --target trl trl==1.16.0, then PYTHONPATH=trl.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from loss_contenders import BASELINE, Batch, Loss, contenders, random_batch, trl_trainer
from rich import box
from rich.console import Console
from rich.table import Table

SHAPES = ((128, 1024), (128, 3000), (1024, 3000))
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
WARM_UPS = 5


def seconds(call: Callable[[], object], device: str) -> float:
    """Wall-clock time of a call, its work on the device included."""
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peak_bytes(call: Callable[[], object], device: str) -> int:
    """The most that a call holds at once beyond what was allocated before it, temporaries inside operators included.

    On CUDA the caching allocator's own count; on CPU the allocations and frees that torch's CPU allocator reports to
    the profiler, added up in order.
    """
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        call()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profile.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    memory = sorted((event for event in events if event["name"] == "[memory]"), key=lambda event: event["ts"])
    held = peak = 0
    for event in memory:
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    return peak


def loss_and_gradient(loss: Loss, batch: Batch) -> Callable[[], torch.Tensor]:
    return lambda: torch.autograd.grad(loss(batch), batch.log_prob)[0]


def copy_of_unavoidable_bytes(batch: Batch) -> Callable[[], torch.Tensor]:
    """A copy reads one half of the bytes that it moves, and writes the other."""
    source = torch.ones(batch.unavoidable_bytes // 2, dtype=torch.uint8, device=batch.mask.device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def times(calls: dict[str, Callable[[], object]], device: str, rounds: int) -> dict[str, list[float]]:
    """The times of every call, one a round."""
    for call in calls.values():
        for _ in range(WARM_UPS):
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    order = random.Random(0)
    for _ in range(rounds):
        # A fixed order would charge one contender for the memory that its predecessor gave back to the system.
        for name in order.sample(list(calls), len(calls)):
            taken[name].append(seconds(calls[name], device))
    return taken


def parse_shape(text: str) -> tuple[int, int]:
    try:
        rows, tokens = (int(number) for number in text.split("x"))
    except ValueError:
        rows = tokens = 0
    if rows < 1 or tokens < 10:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape: write responses x tokens, at least 1x10, such as 128x1024"
        )
    return rows, tokens


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--shapes", nargs="+", type=parse_shape, default=SHAPES, metavar="BxT")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=tuple(DTYPES))
    parser.add_argument("--rounds", type=int, default=30, help="measured runs of every contender")
    parser.add_argument("--compile", action="store_true", help="a torch.compile row for gmpo (always on CUDA)")
    parser.add_argument("--short", action="store_true", help="the smallest shape and 10 rounds: seconds")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch sees no CUDA device; use --device cpu")
    if arguments.short:
        arguments.shapes, arguments.rounds = arguments.shapes[:1], min(arguments.rounds, 10)
    return arguments


def measure(batch: Batch, losses: dict[str, Loss], device: str, rounds: int) -> Iterator[tuple[str, ...]]:
    """The cells of one row for every loss, from its name on."""
    calls: dict[str, Callable[[], object]] = {name: loss_and_gradient(loss, batch) for name, loss in losses.items()}
    taken = times(calls | {"floor": copy_of_unavoidable_bytes(batch)}, device, rounds)
    floor = statistics.median(taken["floor"])
    for name, call in calls.items():
        median = statistics.median(taken[name])
        ratio = statistics.median(own / base for own, base in zip(taken[name], taken[BASELINE], strict=True))
        yield (
            name,
            f"{median * 1e3:.2f}",
            f"{ratio:.2f}",
            f"{peak_bytes(call, device) / 1e6:.1f}",
            f"{floor * 1e3:.3f}",
            f"{median / floor:.0f}",
        )


def results_table(device: str) -> Table:
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, threads: {torch.get_num_threads()}"
    table = Table(title=f"Loss and gradient ({where}; torch {torch.__version__})", box=box.SIMPLE_HEAD)
    for column in ("B x T", "dtype", "loss"):
        table.add_column(column, no_wrap=True)
    for column in ("time ms", "vs vanilla", "peak MB", "floor ms", "time/floor"):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def main() -> None:
    arguments = parse_arguments()
    device = arguments.device
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces its every start otherwise
    console = Console(width=100)  # the table in full, in a log too
    trainer_class = trl_trainer()
    if trainer_class is None:
        console.print("TRL is not installed: pip install --no-deps --target trl trl==1.16.0, then set PYTHONPATH=trl")
    table = results_table(device)
    for rows, tokens in arguments.shapes:
        for dtype in arguments.dtypes:
            batch = random_batch(rows, tokens, DTYPES[dtype], device)
            losses = contenders(batch, arguments.compile or device == "cuda", trainer_class)
            for cells in measure(batch, losses, device, arguments.rounds):
                table.add_row(f"{rows} x {tokens}", dtype, *cells)
            table.add_section()
    console.print(table)


if __name__ == "__main__":
    main()
