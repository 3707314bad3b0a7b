"""A node's share of an evaluation, and the whole from the shares; evaluate.sbatch starts it.

    evaluate_share.py answer --shares=N --gpus=G -- OPTIONS   on each node: answers every N-th problem of each benchmark
    evaluate_share.py merge --shares=N --gpus=G -- OPTIONS    on one: puts the answers together in --out and grades them

OPTIONS are those of gmpo_verl.evaluate. An answer's seed is its own, so it does not matter which node draws it.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from gmpo_verl.errors import UserError

_TO_BE_CONTINUED = 75
_ANSWERS, _IDENTITY = "answers.jsonl", "evaluation.json"


def main(argv: Sequence[str]) -> int:
    at = list(argv).index("--")
    parser = argparse.ArgumentParser(prog="evaluate_share.py")
    parser.add_argument("action", choices=("answer", "merge"))
    parser.add_argument("--shares", type=int, required=True)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print the command that would run, and end")
    job, given = parser.parse_args(argv[:at]), list(argv[at + 1 :])
    options = _known(given)
    try:
        if job.shares > 1 and None in (options.data, options.out):
            raise UserError("several nodes need --data and --out: write both, or use one node.")
        command = _answer_command(job, options, given) if job.action == "answer" else _evaluate(given)
    except UserError as error:
        print(f"gmpo_verl: {error}", file=sys.stderr)
        return 2
    if job.show:
        print(shlex.join(command))
        return 0
    if job.action == "merge":
        merge(Path(options.out), job.shares)
    # The table of a share would be taken for the whole.
    code = _run(command, quietly=job.action == "answer" and job.shares > 1)
    if job.action == "merge" and code == 0:
        for number in range(job.shares):
            shutil.rmtree(_folder(options.out, number, job.shares))
    return code


def share_of(file: Path, number: int, shares: int, limit: int | None) -> Any:
    """Every `shares`-th row of a benchmark's first `limit` rows, from row `number` on."""
    import pyarrow
    import pyarrow.parquet as parquet

    table = parquet.read_table(file).slice(0, limit)
    return table.take(pyarrow.array(range(number, table.num_rows, shares), pyarrow.int64()))


def merge(out: Path, shares: int) -> None:
    """Put the answers of all shares into `out`, the problems numbered as in the whole; what is there already stays."""
    out.mkdir(parents=True, exist_ok=True)
    answers = out / _ANSWERS
    lines = answers.read_bytes().splitlines(keepends=True) if answers.exists() else []
    lines = [line for line in lines if line.endswith(b"\n")]
    for number in range(shares):
        folder = _folder(out, number, shares) / "out"
        lines += [json.dumps(row).encode() + b"\n" for row in _renumbered(folder / _ANSWERS, number, shares)]
        if not (out / _IDENTITY).exists():
            shutil.copyfile(folder / _IDENTITY, out / _IDENTITY)
    temporary = answers.with_suffix(".merging")
    temporary.write_bytes(b"".join(dict.fromkeys(lines)))
    os.replace(temporary, answers)


def _renumbered(file: Path, number: int, shares: int) -> Iterator[dict[str, Any]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row | {"index": number + shares * row["index"]}


def _answer_command(job: argparse.Namespace, options: argparse.Namespace, given: list[str]) -> list[str]:
    """The evaluation of this node's share; with --show nothing is written."""
    engines = max(1, job.gpus // options.tensor_parallel_size)
    parallel = [f"--data-parallel-size={engines}"]
    if job.shares == 1:
        return _evaluate([*parallel, *given])
    number = int(os.environ.get("SLURM_PROCID", 0))
    folder = _folder(options.out, number, job.shares)
    if not job.show:
        _write_share(Path(options.data).expanduser(), folder / "data", number, job.shares, options.limit)
    # The last of an option given twice counts; the share is of the limited problems already.
    return _evaluate([*parallel, *given, f"--data={folder / 'data'}", f"--out={folder / 'out'}", f"--limit={10**9}"])


def _write_share(data: Path, folder: Path, number: int, shares: int, limit: int | None) -> None:
    import pyarrow.parquet as parquet

    files = sorted(data.glob("*.parquet")) if data.is_dir() else [data]
    if not data.exists() or not files:
        raise UserError(f"--data {data} holds no parquet file: write a folder that gmpo_verl.prepare_data has made.")
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        share = share_of(file, number, shares, limit)
        if not share.num_rows:
            raise UserError(f"--data {file} has fewer problems than the job has nodes: use fewer nodes.")
        parquet.write_table(share, folder / file.name)


def _run(command: Sequence[str], quietly: bool) -> int:
    """Run to the end; SIGUSR1 ends it with the answers so far, and 75 to say that it goes on later."""
    paused = []

    def pause(number: int, frame: FrameType | None) -> None:
        paused.append(number)
        child.terminate()

    # Slurm may send it to all processes of a step.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL if quietly else None)
    signal.signal(signal.SIGUSR1, pause)
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    code = child.wait()
    if paused and code != 0:
        return _TO_BE_CONTINUED
    return code if code >= 0 else 128 - code


def _evaluate(options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "gmpo_verl.evaluate", *options]


def _folder(out: Path | str, number: int, shares: int) -> Path:
    return Path(out).expanduser() / f".share-{number + 1}-of-{shares}"


def _known(given: Sequence[str]) -> argparse.Namespace:
    """The options of gmpo_verl.evaluate on which the shares depend."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data")
    parser.add_argument("--out")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    return parser.parse_known_args(given)[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
