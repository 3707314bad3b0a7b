"""The dataclass that verl makes of `actor_rollout_ref.actor.policy_loss`."""

from dataclasses import dataclass, field

from verl.workers.config import PolicyLossConfig

from gmpo_verl.config.schema import check_family_options
from gmpo_verl.errors import UserError


@dataclass
class GMPOPolicyLossConfig(PolicyLossConfig):
    """verl's closed PolicyLossConfig with the options of the `gmpo` loss; named by `policy_loss._target_`.

    Args:
        mean_exponent: of the power mean over a response's token ratios: 0 geometric, 1 arithmetic, -1 harmonic.
        mean_exponent_end, mean_exponent_rounds: anneal it linearly, from `mean_exponent` in the first round to the
            end in round `mean_exponent_rounds`; both null for a constant.
        clip_level: where the window holds: every `token`, the `sequence`'s sum, or `none`.
        length_norm: whether the geometric mean takes the root of a response's length, or is the product.

    Attributes:
        current_round: set before each update by the trainer, counted from 1.

    Raises:
        UserError: a value that the loss does not have, or one that contradicts another.
    """

    _mutable_fields = PolicyLossConfig._mutable_fields | {"current_round"}

    mean_exponent: float = 0.0
    mean_exponent_end: float | None = None
    mean_exponent_rounds: int | None = None
    clip_level: str = "token"
    length_norm: bool = True
    current_round: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        findings = check_family_options(
            self.mean_exponent, self.clip_level, self.length_norm, self.mean_exponent_end, self.mean_exponent_rounds
        )
        if findings:
            raise UserError(" ".join(findings))
