"""Waits until so many nodes of a Ray cluster live; FILE says which do: alive_nodes.py HOST:PORT COUNT FILE."""

import logging
import sys
import time
from pathlib import Path

import ray
from reach import answers


def main(address: str, count: str, file: str) -> None:
    while not answers(address):
        time.sleep(0.5)
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    before: list[str] = []
    while len(before) < int(count):
        time.sleep(0.5)
        names = sorted(node["NodeName"] for node in ray.nodes() if node["Alive"])
        if names != before:
            Path(file).write_text(",".join(names))
        before = names


if __name__ == "__main__":
    main(*sys.argv[1:])
