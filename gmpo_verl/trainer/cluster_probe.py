"""`python -m gmpo_verl.trainer.cluster_probe ADDRESS`: what there is in a Ray cluster, as a line of JSON.

A process of its own, because Ray asks for minutes at an address where nobody answers, and can then not be asked again.
It reads a question (JSON) from standard input: `packages`, whose versions it wants of every node, and `paths`, of which
it wants to know whether every node sees them.
"""

import json
import sys
from typing import Any

NODE_SECONDS = 60.0  # for a node to start its first worker


def on_node(packages: list[str], paths: list[str]) -> dict[str, Any]:
    """Runs on each node, where this package may be missing: standard library only."""
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, entry_points, version

    versions: dict[str, str | None] = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "versions": versions,
        "plugin": any(point.name == "gmpo" for point in entry_points(group="verl.plugins")),
        "unseen": [path for path in paths if not os.path.exists(path)],
    }


def probe(address: str, packages: list[str], paths: list[str]) -> dict[str, Any]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.init(address=address, log_to_driver=False, configure_logging=False)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    ask = ray.remote(num_cpus=0, max_retries=0)(on_node)
    answers = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            packages, paths
        )
        for node in nodes
    ]
    ray.wait(answers, num_returns=len(answers), timeout=NODE_SECONDS)
    return {
        "nodes": [_describe(node, answer) for node, answer in zip(nodes, answers, strict=True)],
        "free": {name: ray.available_resources().get(name, 0.0) for name in ("GPU", "CPU")},
    }


def _describe(node: dict[str, Any], answer: Any) -> dict[str, Any]:
    import ray

    resources = node["Resources"]
    known = {"address": node["NodeManagerAddress"], "gpus": resources.get("GPU", 0), "cpus": resources.get("CPU", 0)}
    try:
        return known | ray.get(answer, timeout=0)
    except ray.exceptions.RayError as error:  # it died, or starts no worker
        return known | {"error": type(error).__name__}


if __name__ == "__main__":
    question = json.load(sys.stdin)
    print(json.dumps(probe(sys.argv[1], question["packages"], question["paths"])), flush=True)
