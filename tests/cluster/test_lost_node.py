"""A run with a restart to spare loses a node, and goes on with another one. Minutes, by hand."""

import json
import time
from pathlib import Path

import namespaces
import pytest
from two_node_run import SMALL_STORE, TWO_NODES, Cluster, titles

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(900)]

STEPS = 12


def test_it_goes_on_from_its_checkpoint_on_the_nodes_that_are_left(tmp_path: Path) -> None:
    if why_not := namespaces.missing():
        pytest.skip(why_not)
    home, run_dir, log = tmp_path / "home", tmp_path / "run", tmp_path / "output.txt"
    home.mkdir()
    with namespaces.nodes(3, shared=[tmp_path]) as nodes:
        cluster = Cluster(nodes, home)
        assert cluster.script(nodes[0], "start_head.sh", SMALL_STORE)[0] == 0
        for node in nodes[1:]:
            assert cluster.script(node, "join.sh", cluster.address, SMALL_STORE)[0] == 0
        process = cluster.train(
            nodes[0],
            log,
            f"ray_kwargs.ray_init.address={cluster.address}",
            *TWO_NODES,
            f"run_dir={run_dir}",
            f"trainer.total_training_steps={STEPS}",
            "trainer.save_freq=1",
            "trainer.max_restarts=1",
        )
        metrics = run_dir / "metrics.jsonl"
        while not metrics.exists() or metrics.read_text().count("\n") < 2:
            assert process.poll() is None, log.read_text()[-3000:]
            time.sleep(0.2)
        (lost,) = [node for node in nodes[1:] if any(title.startswith("ray::WorkerDict") for title in titles(node))][:1]
        lost.power_off()
        assert process.wait(timeout=500) == 0, log.read_text()[-3000:]
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    (restart,) = [json.loads(line) for line in (run_dir / "logs" / "restarts.jsonl").read_text().splitlines()]
    assert restart["after_step"] >= 2 and "Restart 1 of 1" in log.read_text()
