"""Calls made at the same time become one; every caller has its own result or the error of its call."""

import asyncio

import pytest

from gmpo_verl.rollout.together import Together


class Doubled:
    """Its calls, each held up until the loop has gone round a few times."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []

    async def __call__(self, items):
        self.calls.append(items)
        for _ in range(3):
            await asyncio.sleep(0)
        if 13 in items:
            raise ValueError("thirteen")
        return [2 * item for item in items]


def test_what_comes_at_once_is_one_call_and_what_comes_meanwhile_is_the_next():
    doubled = Doubled()

    async def run():
        together = Together(doubled)
        first = asyncio.gather(*map(together, range(3)))
        while not doubled.calls:
            await asyncio.sleep(0)
        return await asyncio.gather(first, *map(together, range(3, 6))), await together(6)

    assert asyncio.run(run()) == ([[0, 2, 4], 6, 8, 10], 12)
    assert doubled.calls == [(0, 1, 2), (3, 4, 5), (6,)]


def test_a_call_has_no_more_items_than_it_may():
    doubled = Doubled()

    async def run():
        together = Together(doubled, at_most=2)
        return await asyncio.gather(*map(together, range(5)))

    assert asyncio.run(run()) == [0, 2, 4, 6, 8]
    assert doubled.calls == [(0, 1), (2, 3), (4,)]


def test_an_error_is_that_calls_alone():
    doubled = Doubled()

    async def run():
        together = Together(doubled)
        failed = asyncio.gather(together(12), together(13), return_exceptions=True)
        while not doubled.calls:
            await asyncio.sleep(0)
        return await failed, await together(14)

    errors, after = asyncio.run(run())
    assert [str(error) for error in errors] == ["thirteen", "thirteen"]
    assert after == 28


def test_who_no_longer_waits_takes_nothing_from_the_others():
    async def run():
        together = Together(Doubled())
        gone, stays = asyncio.create_task(together(1)), asyncio.create_task(together(2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    assert asyncio.run(run()) == 4
