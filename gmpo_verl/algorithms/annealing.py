"""An exponent that changes over a run: HoelderPO anneals the power mean from 2 to -2."""


def annealed(start: float, end: float, rounds: int, current_round: int) -> float:
    """Linear from `start` in round 1 to `end` in round `rounds`, and `end` from there on."""
    progress = min(max(current_round - 1, 0) / max(rounds - 1, 1), 1.0)
    return start + (end - start) * progress
