"""The metrics that a report reads: ours first, then what stock verl has in their place."""

import re
from collections.abc import Iterable

from gmpo_verl.reporting.run import Run

REWARD = ("critic/rewards/mean", "critic/score/mean")
ENTROPY = ("actor/entropy", "actor/entropy_loss")
GRAD_NORM = ("actor/grad_norm",)
KL_TO_REF = ("gmpo/kl_to_ref", "actor/reward_kl_penalty", "actor/kl_loss")
POLICY_KL = ("actor/ppo_kl",)
LOG_RATIO_MAX, LOG_RATIO_MIN = "gmpo/log_ratio_max", "gmpo/log_ratio_min"
SEQ_RATIO_MEAN, SEQ_RATIO_MIN, SEQ_RATIO_MAX = "gmpo/seq_ratio_mean", "gmpo/seq_ratio_min", "gmpo/seq_ratio_max"
CLIP_HIGH, CLIP_LOW = "gmpo/clip_frac_high", "gmpo/clip_frac_low"
CLIP_STOCK = ("actor/pg_clipfrac",)
LENGTH = ("response_length/mean",)
# verl's clip ratio counts every response as long as allowed, also one that ends exactly there.
TRUNCATED = ("reward/truncated_frac",)
AT_LIMIT = ("response_length/clip_ratio",)
NO_SIGNAL = ("gmpo/zero_advantage_frac",)
STEP_SECONDS = ("perf/time_per_step", "timing_s/step")
THROUGHPUT = ("perf/throughput",)
TOKENS = "perf/total_num_tokens"
TESTING = "timing_s/testing"
CORRELATION = "training/rollout_actor_probs_pearson_corr"
UNGRADED = ("reward/timeout_frac", "reward/error_frac")
NON_FINITE = "training/non_finite_update"

# Stands among a run's benchmarks for the mean of all of them.
ALL_BENCHMARKS = "all benchmarks"

_ACCURACY = re.compile(r"^val-core/(?P<benchmark>.+)/(?P<value>acc|reward|score)/mean@(?P<n>\d+)$")


def accuracies(runs: Iterable[Run]) -> dict[str, tuple[str, ...]]:
    """Validation metrics by benchmark, the mean of all first: accuracy over n answers, or reward where that is all."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for name in run.metrics:
            if matched := _ACCURACY.match(name):
                found.setdefault(matched["benchmark"], {})[name] = None
    return {benchmark: tuple(names) for benchmark, names in sorted(found.items(), key=_mean_first)}


def _mean_first(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0] != ALL_BENCHMARKS, item[0]


def answers_a_problem(metric: str) -> int:
    """n of a validation metric `.../mean@n`."""
    matched = _ACCURACY.match(metric)
    return int(matched["n"]) if matched else 1
