"""Short names for configurations: the algorithm, and where that does not tell them apart, what else differs."""

from collections.abc import Sequence

from gmpo_verl.reporting.run import Run
from gmpo_verl.reporting.text import displayable, shortened

# What to name a configuration by, the first that differ.
_TELLING = (  # (key, what to call it)
    ("actor_rollout_ref.model.path", ""),
    ("data.train_files", "data"),
    ("actor_rollout_ref.actor.policy_loss.mean_exponent", "p"),
    ("actor_rollout_ref.actor.policy_loss.clip_level", "clip"),
    ("actor_rollout_ref.actor.policy_loss.length_norm", "length norm"),
    ("actor_rollout_ref.actor.clip_ratio_low", "clip low"),
    ("actor_rollout_ref.actor.clip_ratio_high", "clip high"),
    ("actor_rollout_ref.actor.optim.lr", "lr"),
)
_MAX_LABEL = 60
_WIDE_WINDOW = 0.3  # log space; the paper has GRPO with -log 0.8 = 0.22 and with -log 0.67 = 0.40
_MAX_TELLING = 3
_LOSS = "actor_rollout_ref.actor.policy_loss"
_ALGORITHMS = {  # (mean_exponent, clip_level, length_norm): the member of the family
    (0.0, "token", True): "gmpo",
    (0.0, "sequence", True): "gmpo_seq_clip",
    (0.0, "none", True): "gmpo_no_clip",
    (0.0, "token", False): "gmpo_no_length_norm",
    (-1.0, "token", True): "hmpo",
}


def labels_of(runs: Sequence[Run]) -> list[str]:
    """A name for the configuration of each run, no two alike."""
    algorithms = [algorithm_of(run) or run.name for run in runs]
    labels: list[str] = []
    for run, algorithm in zip(runs, algorithms, strict=True):
        alike = [other for other, name in zip(runs, algorithms, strict=True) if name == algorithm]
        label = shortened(", ".join([algorithm, *_telling(run, alike)]), _MAX_LABEL)
        labels.append(label if label not in labels else f"{label} ({run.name})")
    return labels


def algorithm_of(run: Run) -> str:
    """The name of a run's algorithm; for the family of ours, told by the options of its loss. Empty if unknown."""
    mode = run.option(f"{_LOSS}.loss_mode")
    if mode in (None, "vanilla"):  # verl's name for PPO's clipped loss, whatever the advantage
        return displayable(run.option("algorithm.adv_estimator") or "")
    if mode != "gmpo":
        return displayable(mode)
    if run.option(f"{_LOSS}.mean_exponent_end") is not None:
        return "power_mean"
    exponent, level = run.option(f"{_LOSS}.mean_exponent"), run.option(f"{_LOSS}.clip_level")
    norm = run.option(f"{_LOSS}.length_norm")
    if exponent == 1.0:
        return _arithmetic_mean(run)
    return _ALGORITHMS.get((exponent, level, norm), "gmpo" if exponent in (0.0, None) else "power_mean")


def _telling(run: Run, alike: Sequence[Run]) -> list[str]:
    parts = []
    for key, word in _TELLING:
        if len({str(other.option(key)) for other in alike}) > 1:
            parts.append(displayable(f"{word} {run.option(key)}".strip()))
    return parts[:_MAX_TELLING]


def _arithmetic_mean(run: Run) -> str:
    """grpo, grpo_wide_clip or dr_grpo: the arithmetic mean with the usual window, a wide one, or without std."""
    if run.option("algorithm.norm_adv_by_std_in_grpo") is False:
        return "dr_grpo"
    low = run.option("actor_rollout_ref.actor.clip_ratio_low")
    return "grpo_wide_clip" if isinstance(low, float) and low > _WIDE_WINDOW else "grpo"
