"""Everything that a page shows of its runs, read from their directories, and read again as they grow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gmpo_verl.errors import UserError
from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.dumps import FOLDERS, DumpReader, Kind, dump_files, form
from gmpo_verl.reporting.mean_accuracy import add_mean_accuracy
from gmpo_verl.reporting.ratio_points import RatioPoints
from gmpo_verl.reporting.run import Run, locate, read_run
from gmpo_verl.reporting.sample import Sample, sample_of
from gmpo_verl.reporting.sample_store import SampleStore
from gmpo_verl.reporting.text import displayable

# Of compressed responses in a page; with its scripts, and the third that base64 adds, it stays below 15 MB.
MAX_BYTES = 9_000_000


@dataclass
class Collected:
    """The runs of a page, and the answers of them that it shows."""

    runs: list[Run]
    samples: list[Sample]
    seen: int  # answers in the dumps
    points: dict[str, RatioPoints] = field(default_factory=dict)


class Collector:
    """Reads runs; called again it reads what is new.

    Args:
        arguments: run directories or metrics files.
        max_samples: how many answers a page may hold; 0 leaves the dumps unread.

    Raises:
        UserError: an argument is no run, or the same run is named twice.
    """

    def __init__(self, arguments: Sequence[str], max_samples: int) -> None:
        self._places = [locate(argument) for argument in arguments]
        self._names = _names(
            [metrics.parent if metrics.name == "metrics.jsonl" else metrics for _, metrics in self._places]
        )
        files = [metrics.resolve() for _, metrics in self._places]
        for index, file in enumerate(files):
            if file in files[:index]:
                raise UserError(f"RUN={arguments[index]} is named twice: name each run once.")
        self._max_samples = max_samples
        self._begin()

    def collect(self) -> Collected:
        """Read all that is there now."""
        runs = [read_run(*place, name) for place, name in zip(self._places, self._names, strict=True)]
        for run in runs:
            add_mean_accuracy(run)
        if self._max_samples:
            if any(reader.rewritten() for reader in self._readers):
                self._begin()
            self._read_dumps(runs, "validation", self._validation)
            self._read_dumps(runs, "rollout", self._rollouts)
            self._share_out()
        for run, reader in zip(runs, self._readers, strict=True):
            if reader.broken_lines:
                run.notes.append(f"{reader.broken_lines} lines of its answers could not be read and were left out.")
            if reader.unreadable_files:
                run.notes.append(f"{reader.unreadable_files} files of its answers could not be opened.")
        return Collected(
            runs,
            [*self._validation.samples(), *self._rollouts.samples()],
            self._validation.seen + self._rollouts.seen,
            dict(zip(self._names, self._points, strict=True)),
        )

    def signature(self) -> tuple[object, ...]:
        """Changes whenever a file of the runs does."""
        found = []
        for folder, metrics in self._places:
            files = [metrics, folder / "finished.json", folder / "config.yaml"]
            if self._max_samples:
                files += [path for kind in FOLDERS for path in dump_files(folder, kind)]
            found.append(tuple(form(path) for path in files))
        return tuple(found)

    def _begin(self) -> None:
        self._readers = [DumpReader(folder) for folder, _ in self._places]
        self._points = [RatioPoints() for _ in self._places]
        self._validation, self._rollouts = (SampleStore(self._max_samples, MAX_BYTES) for _ in FOLDERS)

    def _share_out(self) -> None:
        """Each kind of answer has half of the page, and what the other leaves of its half."""
        samples, size = self._max_samples, MAX_BYTES
        self._validation.limit(
            max(samples // 2, samples - len(self._rollouts)), max(size // 2, size - self._rollouts.size)
        )
        self._rollouts.limit(samples - len(self._validation), size - self._validation.size)

    def _read_dumps(self, runs: Sequence[Run], kind: Kind, store: SampleStore) -> None:
        for index, (run, reader) in enumerate(zip(runs, self._readers, strict=True)):
            benchmark = _only_benchmark(run) if kind == "validation" else ""
            limit = run.option("data.max_response_length")
            limit = limit if isinstance(limit, int) else None
            for path in reader.changed(kind):
                for row in reader.rows(path):
                    if kind == "rollout":
                        self._points[index].add(row)
                    prompt = str(row.get("input") or "")
                    if store.wants(prompt):
                        store.add(prompt, sample_of(row, index, kind, limit, benchmark))


def _only_benchmark(run: Run) -> str:
    """The benchmark of answers that do not say theirs, where a run validates on one alone."""
    found = list(names.accuracies([run]))
    return found[0] if len(found) == 1 else ""


def _names(paths: Sequence[Path]) -> list[str]:
    """The last parts of the paths, as many as tell them apart."""
    parts = [
        path.resolve().with_suffix("").parts if path.suffix == ".jsonl" else path.resolve().parts for path in paths
    ]
    for length in range(1, max(map(len, parts)) + 1):
        found = ["/".join(part[-length:]) for part in parts]
        if len(set(found)) == len(found):
            break
    return [displayable(name) for name in found]
