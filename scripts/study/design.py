"""The design of the studies, read from studies.yaml: which runs belong to a study, and how each is trained."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DESIGN = Path(__file__).with_name("studies.yaml")
RESULTS = CHECKOUT / "recipes" / "stability"


@dataclass(frozen=True)
class StudyRun:
    """One arm with one seed."""

    arm: str
    seed: int
    overrides: tuple[str, ...]  # of the command, recipe included

    @property
    def name(self) -> str:
        return f"{self.arm}-seed{self.seed}"

    def command(self, run_dir: Path) -> list[str]:
        """The arguments of `python -m gmpo_verl.main_ppo`."""
        return [*self.overrides, f"seed={self.seed}", f"run_dir={run_dir}"]


@dataclass(frozen=True)
class Study:
    """Arms that are compared over the same seeds; the first is the one that the others are compared with."""

    name: str
    seeds: int
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """All studies."""

    metrics: tuple[str, ...]
    overrides: dict[str, tuple[str, ...]]  # of each arm
    studies: dict[str, Study]
    sizes: dict[str, tuple[str, ...]]

    def of_size(self, size: str) -> list[Study]:
        return [self.studies[name] for name in self.sizes[size]]

    def runs(self, studies: Iterable[Study]) -> list[StudyRun]:
        """Every run once; all arms of a seed before the next seed, so that what is done compares at any time."""
        wanted = {(seed, arm): None for study in studies for seed in range(study.seeds) for arm in study.arms}
        return [StudyRun(arm, seed, self.overrides[arm]) for seed, arm in sorted(wanted, key=lambda pair: pair[0])]


def read_design(path: Path = DESIGN) -> Design:
    """Reads and checks a design.

    Raises:
        ValueError: a study names an arm, or a size a study, that does not exist.
    """
    raw = yaml.safe_load(path.read_text())
    overrides = {
        arm: (f"recipe={recipe}", *shlex.split(raw["recipes"][recipe]), *shlex.split(options))
        for arm, (recipe, options) in raw["arms"].items()
    }
    studies = {name: Study(name, study["seeds"], tuple(study["arms"])) for name, study in raw["studies"].items()}
    sizes = {size: tuple(names) for size, names in raw["sizes"].items()}
    for kind, known, named in (
        ("arm", overrides, [arm for study in studies.values() for arm in study.arms]),
        ("study", studies, [name for names in sizes.values() for name in names]),
    ):
        unknown = sorted(set(named) - set(known))
        if unknown:
            raise ValueError(f"{path}: there is no {kind} {', '.join(unknown)}")
    return Design(tuple(raw["metrics"]), overrides, studies, sizes)
