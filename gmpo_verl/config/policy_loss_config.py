"""The dataclass that verl makes of `actor_rollout_ref.actor.policy_loss`."""

from dataclasses import dataclass

from verl.workers.config import PolicyLossConfig

from gmpo_verl.config.schema import check_family_options
from gmpo_verl.errors import UserError


@dataclass
class GMPOPolicyLossConfig(PolicyLossConfig):
    """verl's closed PolicyLossConfig with the options of the `gmpo` loss; named by `policy_loss._target_`.

    Args:
        mean_exponent: of the power mean over a response's token ratios: 0 geometric, 1 arithmetic, -1 harmonic.
        clip_level: where ratios are clipped: `token`.
        length_norm: whether the mean divides by the response's length.

    Raises:
        UserError: a value that the loss does not have.
    """

    mean_exponent: float = 0.0
    clip_level: str = "token"
    length_norm: bool = True

    def __post_init__(self) -> None:
        findings = check_family_options(self.mean_exponent, self.clip_level, self.length_norm)
        if findings:
            raise UserError(" ".join(findings))
