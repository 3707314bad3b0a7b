"""Our own options, validated: what verl's configuration does not have."""

import math
from dataclasses import dataclass
from typing import Any

from gmpo_verl.errors import UserError

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
        if self.max_restarts != 0:
            raise UserError(
                f"trainer.max_restarts={self.max_restarts} is not supported yet: write trainer.max_restarts=0 and "
                "repeat the command to resume."
            )


def check_family_options(mean_exponent: object, clip_level: object, length_norm: object) -> list[str]:
    """One sentence for each option of the `gmpo` loss that is not possible."""
    where = "actor_rollout_ref.actor.policy_loss"
    findings = []
    if (
        isinstance(mean_exponent, bool)
        or not isinstance(mean_exponent, int | float)
        or not math.isfinite(mean_exponent)
    ):
        findings.append(
            f"{where}.mean_exponent={mean_exponent} is not a finite number: write 0 (geometric), 1 (arithmetic) or -1."
        )
    # The loss has the token-level clip and the length-normalised mean alone.
    if clip_level != "token":
        findings.append(f"{where}.clip_level={clip_level} is not supported: write {where}.clip_level=token.")
    if length_norm is not True:
        findings.append(f"{where}.length_norm={length_norm} is not supported: write {where}.length_norm=true.")
    return findings


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def __getattr__(name: str) -> Any:
    # On demand: this one needs verl, and through it torch.
    if name == "GMPOPolicyLossConfig":
        from gmpo_verl.config.policy_loss_config import GMPOPolicyLossConfig

        return GMPOPolicyLossConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
