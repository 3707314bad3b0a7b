"""Each warning comes where its threshold says, and not where a run is well."""

import math

import pytest
from runs_on_disk import run_of

from gmpo_verl.reporting import thresholds as at
from gmpo_verl.reporting.findings import findings, looked_at

STEPS = 50


def line(start: float, end: float, steps: int = STEPS) -> list[float]:
    return [start + (end - start) * step / (steps - 1) for step in range(steps)]


def titles(**metrics: list[float]) -> list[str]:
    return [finding.title for finding in findings(run_of(**metrics))]


def test_a_run_that_learns_quietly_has_no_findings() -> None:
    assert (
        titles(
            actor__entropy=line(0.6, 0.2),
            critic__rewards__mean=line(0.2, 0.7),
            gmpo__log_ratio_max=line(0.1, 1.0),
            gmpo__log_ratio_min=line(-0.1, -1.5),
            gmpo__seq_ratio_max=line(1.0, 1.2),
            gmpo__seq_ratio_min=line(1.0, 0.8),
            gmpo__clip_frac_high=line(0.0, 0.01),
            gmpo__clip_frac_low=line(0.0, 0.02),
            reward__truncated_frac=line(0.1, 0.05),
            gmpo__zero_advantage_frac=line(0.2, 0.6),
        )
        == []
    )


@pytest.mark.parametrize(("share", "warned"), [(at.ENTROPY_KEPT * 0.5, True), (at.ENTROPY_KEPT * 3, False)])
def test_entropy_that_falls_below_its_share_is_a_collapse(share: float, warned: bool) -> None:
    entropy = [1.0] * 25 + [share] * 25
    assert titles(actor__entropy=entropy) == (["Entropy is collapsing"] if warned else [])


def test_low_entropy_of_a_solved_task_is_a_note() -> None:
    (finding,) = findings(run_of(actor__entropy=[1.0] * 25 + [0.01] * 25, critic__rewards__mean=[0.99] * STEPS))
    assert finding.level == "note"
    assert "solved" in finding.title


def test_growing_entropy_is_warned_of() -> None:
    assert titles(actor__entropy=line(0.3, 2.0)) == ["Entropy is growing"]


def test_ratios_are_exploding_when_rounds_are_so_and_not_for_one_odd_round() -> None:
    wide = [at.LOG_RATIO + 1] * STEPS
    assert titles(gmpo__log_ratio_max=wide, gmpo__log_ratio_min=[-0.5] * STEPS) == ["Ratios are exploding"]
    assert titles(gmpo__log_ratio_max=[0.5] * STEPS, gmpo__log_ratio_min=[-x for x in wide]) == ["Ratios are exploding"]
    odd = [0.5] * (STEPS - 1) + [12.0]
    assert titles(gmpo__log_ratio_max=odd, gmpo__log_ratio_min=[-0.5] * STEPS) == []


def test_whole_responses_far_from_one_are_warned_of() -> None:
    far = math.exp(at.SEQ_LOG_RATIO) * 1.1
    assert titles(gmpo__seq_ratio_max=[far] * STEPS, gmpo__seq_ratio_min=[1.0] * STEPS)
    assert titles(gmpo__seq_ratio_max=[1.0] * STEPS, gmpo__seq_ratio_min=[1 / far] * STEPS)


def test_clipping_counts_both_sides_or_stock_verls_fraction() -> None:
    half = [at.CLIP_FRACTION * 0.6] * STEPS
    assert titles(gmpo__clip_frac_high=half, gmpo__clip_frac_low=half) == ["Many tokens are clipped"]
    assert titles(gmpo__clip_frac_high=half, gmpo__clip_frac_low=[0.0] * STEPS) == []
    assert titles(actor__pg_clipfrac=[at.CLIP_FRACTION * 1.1] * STEPS) == ["Many tokens are clipped"]


def test_truncation_is_warned_of_when_it_rises_or_is_high() -> None:
    assert titles(reward__truncated_frac=line(0.0, 0.25)) == ["Truncation is rising"]
    assert titles(reward__truncated_frac=[0.4] * STEPS) == ["Many responses are truncated"]
    assert titles(reward__truncated_frac=[0.2] * STEPS) == []
    # verl's fraction also counts responses that end at the limit, so only its rise says something
    assert titles(response_length__clip_ratio=[0.6] * STEPS) == []
    assert titles(response_length__clip_ratio=line(0.1, 0.5)) == ["Truncation is rising"]


@pytest.mark.parametrize(("reward", "word"), [(0.6, "harder"), (0.05, "easier")])
def test_groups_without_signal_are_warned_of_with_what_to_change(reward: float, word: str) -> None:
    (finding,) = findings(run_of(gmpo__zero_advantage_frac=[0.9] * STEPS, critic__rewards__mean=[reward] * STEPS))
    assert finding.level == "warning"
    assert word in finding.text


def test_a_reward_that_is_lost_again_is_a_collapse() -> None:
    assert titles(critic__rewards__mean=line(0.1, 0.8) + line(0.8, 0.1)) == ["The reward has collapsed"]
    assert titles(critic__rewards__mean=line(0.1, 0.8) + line(0.8, 0.6)) == []


def test_numbers_that_are_none_are_named_with_their_step() -> None:
    values = [1.0] * STEPS
    values[6] = math.nan
    (finding,) = findings(run_of(actor__grad_norm=values))
    assert "actor/grad_norm" in finding.text
    assert "step 7" in finding.text
    assert titles(training__rollout_actor_probs_pearson_corr=[math.nan] * STEPS) == []


def test_skipped_updates_other_weights_and_ungraded_answers_are_warned_of() -> None:
    skipped = [0.0] * STEPS
    skipped[2] = 1.0
    assert titles(training__non_finite_update=skipped) == ["Updates were skipped"]
    low = [1.0] * STEPS
    low[30] = at.CORRELATION - 0.01
    assert titles(training__rollout_actor_probs_pearson_corr=low) == ["Rollouts may come from other weights"]
    assert titles(reward__timeout_frac=[at.UNGRADED] * STEPS, reward__error_frac=[0.01] * STEPS) == [
        "Many answers are not graded"
    ]


@pytest.mark.parametrize("steps", range(at.MIN_STEPS))
def test_a_run_of_few_steps_has_no_trend(steps: int) -> None:
    assert titles(actor__entropy=[1.0] + [0.0] * (steps - 1), gmpo__zero_advantage_frac=[1.0] * steps) == []


def test_only_what_was_measured_counts_as_looked_at() -> None:
    stock = run_of("a", actor__entropy=[1.0], actor__pg_clipfrac=[0.0], critic__score__mean=[0.1])
    ours = run_of("b", actor__entropy=[1.0], gmpo__clip_frac_high=[0.0], gmpo__zero_advantage_frac=[0.1])
    assert looked_at([stock]) == ["entropy", "clipping", "reward"]
    assert looked_at([stock, ours]) == ["entropy", "clipping"]
    assert looked_at([]) == []
