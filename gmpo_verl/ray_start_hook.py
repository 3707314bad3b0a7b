"""What `ray start` has no option for (scripts/ray); Ray calls it where RAY_START_HOOK names it."""

from typing import Any


def without_client_server(parameters: Any, head: bool) -> None:
    """No server for Ray's remote clients, which nobody needs here: another port that takes commands."""
    parameters.ray_client_server_port = None
