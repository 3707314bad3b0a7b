"""Show runs: `python -m gmpo_verl.report RUN [RUN ...] --out report.html [--figures DIR] [--follow] [--samples N]`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from gmpo_verl.errors import UserError
from gmpo_verl.files import write_atomically
from gmpo_verl.reporting.collected import Collected, Collector
from gmpo_verl.reporting.export import export_figures, require_browser
from gmpo_verl.reporting.figures.catalogue import all_figures
from gmpo_verl.reporting.follow import follow
from gmpo_verl.reporting.groups import group_runs
from gmpo_verl.reporting.page import render
from gmpo_verl.reporting.run import require_rows

DEFAULT_SAMPLES = 10_000


class _Parser(argparse.ArgumentParser):
    """argparse with errors in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}: see python -m gmpo_verl.report --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report that a command line asks for.

    Returns:
        The exit code: 0; 2 for a mistake of the user's, with one sentence on stderr; 130 after Ctrl-C.
    """
    try:
        _run(_parser().parse_args(arguments))
    except UserError as error:
        print(f"gmpo_verl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    out = Path(options.out).expanduser()
    _check(options, out)
    collector = Collector(options.runs, options.samples)
    if options.follow:
        print(f"{out} follows the run: open it in a browser. Ctrl-C ends this.", flush=True)
        follow(collector, lambda collected, live: _write(collected, out, live))
        collected = collector.collect()
    else:
        collected = collector.collect()
        for run in collected.runs:
            require_rows(run)
        _write(collected, out, live=False)
    size = out.stat().st_size / 1e6
    print(f"{out}: {_count(len(collected.runs), 'run')}, {len(collected.samples):,} answers, {size:.1f} MB")
    if options.figures:
        files = export_figures(all_figures(group_runs(collected.runs), collected.points), Path(options.figures))
        print(f"{options.figures}: {_count(len(files), 'file')}")


def _check(options: argparse.Namespace, out: Path) -> None:
    """Find what would fail later before anything is read."""
    if options.samples < 0:
        raise UserError(f"--samples={options.samples} is negative: give a number of answers, 0 for none.")
    if out.is_dir():
        raise UserError(f"--out={options.out} is a folder: name the file to write, such as {out / 'report.html'}.")
    if options.figures:
        if Path(options.figures).is_file():
            raise UserError(f"--figures={options.figures} is a file: name a folder.")
        require_browser()


def _write(collected: Collected, out: Path, live: bool) -> None:
    page = render(collected, datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"), live)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, page)
    except OSError as error:
        raise UserError(f"--out={out} cannot be written ({error.strerror}): name another file.") from error


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m gmpo_verl.report",
        description="One self-contained page about one run or several: figures, warnings, and the model's answers.",
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a run's directory (run_dir), or a metrics file of verl's"
    )
    parser.add_argument("--out", default="report.html", help="the page to write (default: report.html)")
    parser.add_argument(
        "--figures", metavar="DIR", help="also write the figures there, as PNG and SVG in the paper's style"
    )
    parser.add_argument("--follow", action="store_true", help="rewrite the page while the runs go on")
    parser.add_argument(
        "--samples",
        type=int,
        default=DEFAULT_SAMPLES,
        metavar="N",
        help="answers to put into the page at most, 0 for none (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
