"""Evaluate: `python -m gmpo_verl.evaluate --model DIR --data DIR --out DIR [--temperature 0 --n 1 ...]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.command import LONGEST_ANSWER, add_model_options, call, natural

_DESCRIPTION = """\
Answers the problems of prepared benchmarks with a model, grades them as in training, and writes results.json,
results.md (with the paper's rows), verdicts.jsonl and answers.jsonl to a folder. Repeat the command to go on after any
kind of end: answers that are there are not generated again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 (failed), 2 (a mistake in the command), 130 (Ctrl-C)."""
    options = _parser().parse_args(arguments)
    return call(lambda: _main(options), after_interrupt="repeat the command to go on: the answers so far are kept")


def _main(options: argparse.Namespace) -> int:
    _check_together(options)
    results = _score_file(options) if options.responses else _evaluate(options)
    from gmpo_verl.evaluation.table import markdown

    print(markdown(results))
    print(f"written to {options.out}: results.json, results.md, verdicts.jsonl")
    return 0


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from gmpo_verl.evaluation.benchmarks import read_benchmarks
    from gmpo_verl.evaluation.devices import Devices
    from gmpo_verl.evaluation.model_source import find_model
    from gmpo_verl.evaluation.run import evaluate, say
    from gmpo_verl.evaluation.sampling import Sampling, check_samples

    max_tokens = LONGEST_ANSWER if options.max_tokens is None else options.max_tokens
    sampling = Sampling(options.temperature, options.top_p, options.top_k, max_tokens, options.seed, options.dtype)
    check_samples("--n", options.n, options.temperature)
    devices = Devices(options.tensor_parallel_size, options.data_parallel_size, options.gpu_memory_utilization)
    benchmarks = read_benchmarks(options.data, options.benchmarks, options.limit)
    model = find_model(options.model, options.trust_remote_code, say)
    return evaluate(
        model,
        benchmarks,
        Path(options.out).expanduser(),
        sampling,
        options.n,
        devices,
        options.max_tokens is not None,
        options.name,
        options.limit,
        options.trust_remote_code,
    )


def _score_file(options: argparse.Namespace) -> dict[str, Any]:
    from gmpo_verl.evaluation.scored_file import score_file

    return score_file(
        options.responses,
        Path(options.out).expanduser(),
        options.name,
        options.benchmarks,
        options.max_tokens or LONGEST_ANSWER,
    )


def _check_together(options: argparse.Namespace) -> None:
    if options.responses:
        given = [name for name in ("model", "data", "limit") if getattr(options, name) is not None]
        if given:
            raise UserError(f"--responses scores existing answers and takes no --{given[0]}: leave one of them out.")
        return
    for name in ("model", "data"):
        if getattr(options, name) is None:
            raise UserError(f"--{name} is not set: write --{name}, or --responses FILE to score existing answers.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gmpo_verl.evaluate", description=_DESCRIPTION)
    parser.add_argument(
        "--model", help="a Hugging Face folder, a name on the hub, a run directory or its global_step_N"
    )
    parser.add_argument("--data", help="a prepared folder (its parquet files are the benchmarks), or one parquet file")
    parser.add_argument("--out", required=True, help="a folder for answers and results")
    parser.add_argument(
        "--responses", metavar="FILE", help="score this answers.jsonl, or the official evaluator's JSON"
    )
    parser.add_argument("--benchmarks", type=_names, default=(), help="which, separated by commas; by default all")
    parser.add_argument("--limit", type=natural, help="the first so many problems of each benchmark")
    parser.add_argument("--name", help="the model's name in the tables; also chooses the paper's rows")
    parser.add_argument("--n", type=int, default=1, help="answers a problem (default 1)")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: greedy (default), the paper's table")
    add_model_options(parser, top_p=1.0)
    parser.add_argument(
        "--data-parallel-size", type=int, default=1, help="engines side by side, each on its own GPUs (default 1)"
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    sys.exit(main())
