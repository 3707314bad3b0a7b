"""Prepare a data set: `python -m gmpo_verl.prepare_data SET [--source S] --out DIR [--template NAME] [--overwrite]`."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmpo_verl.data.preparation import Request, prepare
from gmpo_verl.data.sets import SETS
from gmpo_verl.data.templates import TEMPLATES
from gmpo_verl.errors import UserError

if TYPE_CHECKING:
    from gmpo_verl.data.selection import Chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 2 with one sentence where the user has to change something."""
    options = _parser().parse_args(arguments)
    data_set = SETS[options.set]
    request = Request(data_set, options.source, options.template or data_set.template, options.out, options.overwrite)
    try:
        manifest = prepare(request, _with_progress)
    except UserError as error:
        print(f"gmpo_verl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gmpo_verl: stopped; nothing was written.", file=sys.stderr)
        return 130
    print(_summary(request, manifest))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gmpo_verl.prepare_data",
        description="Write a data set as parquet files in verl's columns, with a manifest.json beside them.",
    )
    parser.add_argument("set", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument(
        "--source",
        metavar="S",
        help="a folder saved by datasets, a parquet, json or jsonl file, a folder of these, or an id on the hub "
        "(default: the set's own)",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--template",
        choices=TEMPLATES,
        help="the prompt's form (default: qwen_math; easy_r1 for geometry3k, none for arithmetic)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another preparation in DIR")
    return parser


def _with_progress(problems: "Iterator[Chosen]", file: str, rows: int) -> "Iterator[Chosen]":
    """The same problems, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        problems, f"{file}.parquet", rows, console=console, transient=True, disable=not console.is_terminal
    )


def _summary(request: Request, manifest: dict[str, Any]) -> str:
    lines = [f"{manifest['set']} from {manifest['source']}, template {manifest['template']}, in {request.out}:"]
    lines += [f"  {file['rows']:>7,} rows  {name}" for name, file in manifest["files"].items()]
    lines.append(
        f"Of {manifest['rows_in']:,} rows read {manifest['rows_of_set']:,} belong to the set "
        f"({manifest['distinct_problems']:,} distinct), and {manifest['rows_out']:,} were written."
    )
    for verb, key in (("Left out", "left_out"), ("Dropped", "dropped")):
        lines += [f"  {verb}: {entry['count']:,} ({entry['reason']})" for entry in manifest[key]]
    if manifest["other_splits"]:
        lines.append(f"  Not read: {', '.join(manifest['other_splits'])} (no part of the set)")
    if manifest["left_out"] or manifest["dropped"]:
        lines.append(f"  Their rows are listed in {request.out / 'manifest.json'}.")
    if request.data_set.remark:
        lines.append(request.data_set.remark)
    if manifest["chat_template"]:
        lines.append(
            "The prompts are complete texts. A run with them needs\n"
            f"  \"+data.apply_chat_template_kwargs.chat_template='{manifest['chat_template']}'\""
        )
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # what was begun is removed
    sys.exit(main())
