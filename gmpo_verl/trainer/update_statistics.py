"""The numbers of every response that a round's updates report, on the trainer's side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gmpo_verl.trainer.actor_loss import PREFIX


class UpdateStatistics:
    """Takes the workers' statistics out of their metrics, before verl reduces those to one number a key.

    Attributes:
        by_name: of the latest round, the statistics of `response_statistics`, one number a response and update each.
        by_response: the same of each response's last update, by the response's key in the round's batch.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, np.ndarray] = {}
        self.by_response: dict[str, dict[str, float]] = {}

    def kept_from(self, update_actor: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The worker group's `update_actor`, its statistics kept here."""

        def update(batch: Any) -> Any:
            output = update_actor(batch)
            metrics = output["metrics"]
            taken = {key.removeprefix(PREFIX): metrics.pop(key) for key in list(metrics) if key.startswith(PREFIX)}
            rows = taken.pop("row", [])
            self.by_name = {name: np.asarray(values) for name, values in taken.items()}
            self.by_response = {
                batch.keys[row]: {name: values[position] for name, values in taken.items()}
                for position, row in enumerate(rows)
            }
            return output

        return update


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns; None where a row has no such value."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
