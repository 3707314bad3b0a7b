"""The data sets that `python -m gmpo_verl.prepare_data` writes: what to say where their files are missing."""

from collections.abc import Sequence
from pathlib import Path

from gmpo_verl.data.sets import SETS
from gmpo_verl.files import existing_sibling
from gmpo_verl.trainer.preflight.absent import Absent

# Problems of the training files, for planning before they are there: math_lvl3to5 as written from MATH, the others as
# their pages on the hub say (agentica-org/DeepScaleR-Preview-Dataset, hiyouga/geometry3k). A few fewer may be prepared.
_PROBLEMS = {"math_lvl3to5": 8886, "deepscaler": 40315, "geometry3k": 2101}


def missing_file(key: str, name: str) -> Absent:
    """The finding for a data file that does not exist; the same sentence for all files of one missing set."""
    path = Path(name).expanduser()
    folder = path.parent
    data_set = SETS.get(folder.name)  # a set's folder has its name
    if data_set is None or folder.is_dir():
        return Absent(f"{key}={name} does not exist: {existing_sibling(path)}", f"{key}: {name} is not here")
    source = "" if data_set.hub else " --source DIR"
    command = f"python -m gmpo_verl.prepare_data {data_set.name}{source} --out {folder} --template {data_set.template}"
    return Absent(
        f"{key} names files in {folder}, which does not exist: write them with {command}.",
        f"{key}: {folder} is not here ({command} writes it)",
    )


def known_problems(files: Sequence[str]) -> int | None:
    """How many problems the training files of prepared sets have; None where one is not known."""
    counts = [_PROBLEMS.get(Path(name).parent.name) for name in files if Path(name).name == "train.parquet"]
    return None if not counts or len(counts) < len(files) or None in counts else sum(filter(None, counts))
