"""Calls that coroutines make at about the same time, made as one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """While one call is under way the items of the next one gather; nothing waits for the sake of company.

    Args:
        do: takes the items in the order in which they came, and gives a result for each.
        at_most: items a call.
    """

    def __init__(self, do: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], at_most: int | None = None) -> None:
        self._do = do
        self._at_most = at_most
        self._gathered: list[tuple[Item, asyncio.Future[Result]]] = []
        self._at_work: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """The item's result.

        Raises:
            Exception: what the call raised that the item was part of; others of that call raise it too.
        """
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._gathered.append((item, result))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work())
        return await result

    async def _work(self) -> None:
        while self._gathered:
            items, results = zip(*self._gathered[: self._at_most], strict=True)
            del self._gathered[: self._at_most]
            try:
                done = await self._do(items)
            except Exception as error:
                for result in results:
                    if not result.done():
                        result.set_exception(error)
                continue
            for result, value in zip(results, done, strict=True):
                if not result.done():  # its coroutine was cancelled
                    result.set_result(value)
        self._at_work = None
