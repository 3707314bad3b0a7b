"""A page holds all answers to a fixed choice of problems, within its budgets, whatever the order they come in."""

import random

from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.reporting.sample import Sample, sample_of
from gmpo_verl.reporting.sample_store import SampleStore, problem_key


def answer(problem: int, step: int, chars: int = 1) -> Sample:
    row = {"input": f"problem {problem}", "output": "x" * chars, "score": 1.0, "step": step}
    return sample_of(row, 0, "rollout", None, "")


def filled(store: SampleStore, samples: list[Sample]) -> SampleStore:
    for sample in samples:
        if store.wants(sample.prompt):
            store.add(sample.prompt, sample)
    return store


OFFERED = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=120)


@given(OFFERED, st.integers(20, 60), st.randoms(use_true_random=False))
def test_what_is_kept_is_whole_problems_first_in_their_order_and_as_many_as_fit(
    offered: list[tuple[int, int]], limit: int, order: random.Random
) -> None:
    samples = [answer(*pair) for pair in offered]
    by_problem: dict[str, list[Sample]] = {}
    for sample in samples:
        by_problem.setdefault(sample.prompt, []).append(sample)
    expected, count = set(), 0
    for prompt in sorted(by_problem, key=problem_key):
        count += len(by_problem[prompt])
        if count > limit and expected:
            break
        expected.add(prompt)
    order.shuffle(samples)
    store = filled(SampleStore(limit, 10**9), samples)
    kept = list(store.samples())
    assert {sample.prompt for sample in kept} == expected
    if count <= limit or len(expected) > 1:
        assert len(kept) == sum(len(by_problem[prompt]) for prompt in expected)
    assert store.seen == len(samples)
    assert len(store) == len(kept) <= limit


def test_the_budget_of_bytes_is_of_compressed_responses() -> None:
    draw = random.Random(0)
    noise = [bytes(draw.randrange(256) for _ in range(1000)).decode("latin1") for _ in range(50)]
    store = SampleStore(1000, 20_000)
    for place, text in enumerate(noise):
        sample = sample_of({"input": str(place), "output": text, "step": 1}, 0, "rollout", None, "")
        if store.wants(sample.prompt):
            store.add(sample.prompt, sample)
    assert 10 <= len(store) <= 20
    assert store.size <= 20_000


def test_a_single_problem_over_the_budget_keeps_its_first_answers() -> None:
    store = filled(SampleStore(5, 10**9), [answer(0, step) for step in range(20)])
    assert [sample.step for sample in store.samples()] == [0, 1, 2, 3, 4]


def test_a_tighter_budget_drops_problems_for_good() -> None:
    store = filled(SampleStore(100, 10**9), [answer(problem, 0) for problem in range(50)])
    store.limit(10, 10**9)
    assert len(store) == 10
    kept = {sample.prompt for sample in store.samples()}
    filled(store, [answer(problem, 1) for problem in range(50)])
    assert {sample.prompt for sample in store.samples()} < kept
