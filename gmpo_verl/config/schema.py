"""Our own options, validated: what verl's configuration does not have."""

import math
from dataclasses import dataclass
from typing import Any

from gmpo_verl.config.nearest import suggestion
from gmpo_verl.errors import UserError

CLIP_LEVELS = ("token", "sequence", "none")
_LOSS = "actor_rollout_ref.actor.policy_loss"
_MAX_SEED = 2**32 - 1  # numpy's


@dataclass(frozen=True)
class RunOptions:
    """The options at the top of the configuration, and `trainer.max_restarts`.

    Raises:
        UserError: a value that is not possible, with what to write instead.
    """

    run_dir: str
    seed: int = 0
    dry_run: bool = False
    max_restarts: int = 0

    def __post_init__(self) -> None:
        if not _is_int(self.seed) or not 0 <= self.seed <= _MAX_SEED:
            raise UserError(f"seed={self.seed} is not possible: write a whole number from 0 to {_MAX_SEED}.")
        if not isinstance(self.run_dir, str) or not self.run_dir.strip():
            raise UserError(f"run_dir={self.run_dir} names no folder: write run_dir=outputs/NAME.")
        if not isinstance(self.dry_run, bool):
            raise UserError(f"dry_run={self.dry_run} is not possible: write dry_run=true or dry_run=false.")
        if not _is_int(self.max_restarts) or self.max_restarts < 0:
            raise UserError(
                f"trainer.max_restarts={self.max_restarts} is not possible: write a whole number, 0 for no restart."
            )


def check_family_options(
    mean_exponent: object,
    clip_level: object,
    length_norm: object,
    mean_exponent_end: object = None,
    mean_exponent_rounds: object = None,
) -> list[str]:
    """One sentence for each option of the `gmpo` loss that is not possible, or contradicts another."""
    findings = []
    for name, value in (("mean_exponent", mean_exponent), ("mean_exponent_end", mean_exponent_end)):
        if not _is_finite(value) and not (name.endswith("_end") and value is None):
            findings.append(
                f"{_LOSS}.{name}={value} is not a finite number: write 0 (geometric), 1 (arithmetic) or -1."
            )
    if clip_level not in CLIP_LEVELS:
        findings.append(f"{_LOSS}.clip_level={clip_level} does not exist: {suggestion(str(clip_level), CLIP_LEVELS)}")
    if not isinstance(length_norm, bool):
        findings.append(f"{_LOSS}.length_norm={length_norm} is not possible: write true or false.")
    exponents = [value for value in (mean_exponent, mean_exponent_end) if value is not None]
    if any(_is_finite(value) and value != 0 for value in exponents):
        for option, usual, contradicts in (
            (f"clip_level={clip_level}", "clip_level=token", clip_level == "sequence"),
            ("length_norm=false", "length_norm=true", length_norm is False),
        ):
            if contradicts:
                findings.append(
                    f"{_LOSS}.{option} is defined for the geometric mean alone: "
                    f"write {_LOSS}.mean_exponent=0, or {_LOSS}.{usual}."
                )
    return findings + _annealing(mean_exponent_end, mean_exponent_rounds)


def _annealing(end: object, rounds: object) -> list[str]:
    if (end is None) != (rounds is None):
        given, missing = ("mean_exponent_rounds", "mean_exponent_end")[:: 1 if end is None else -1]
        return [f"{_LOSS}.{given} anneals nothing without {_LOSS}.{missing}: write both, or null for both."]
    if rounds is not None and (not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 2):
        return [f"{_LOSS}.mean_exponent_rounds={rounds} is not possible: write a whole number of rounds from 2 on."]
    return []


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def __getattr__(name: str) -> Any:
    # On demand: this one needs verl, and through it torch.
    if name == "GMPOPolicyLossConfig":
        from gmpo_verl.config.policy_loss_config import GMPOPolicyLossConfig

        return GMPOPolicyLossConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
