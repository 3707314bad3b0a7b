"""A run over two Ray nodes of their own addresses, started as a user without Slurm does. Minutes."""

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import namespaces
import pytest
from namespaces import Node
from two_node_run import SMALL, SMALL_STORE, TWO_NODES, Cluster, everywhere, listening, titles

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

STEPS = 3
RAY_FOLDER = "gmpo-ray-0"  # root's
CORRELATION = "training/rollout_actor_probs_pearson_corr"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes in a cluster and a third that has not joined."""
    if why_not := namespaces.missing():
        pytest.skip(why_not)
    home = tmp_path_factory.mktemp("home")
    with namespaces.nodes(3, shared=[tmp_path_factory.getbasetemp()]) as nodes:
        cluster = Cluster(nodes, home)
        code, output = cluster.script(nodes[0], "start_head.sh", SMALL_STORE)
        assert code == 0, output
        code, output = cluster.script(nodes[1], "join.sh", cluster.address, SMALL_STORE)
        assert code == 0, output
        yield cluster


@pytest.fixture(scope="module")
def run(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A run of three steps, and what was seen of it while it trained."""
    folder = tmp_path_factory.mktemp("two")
    log, run_dir = folder / "output.txt", folder / "run"
    before = {node.name: len(node.processes()) for node in cluster.nodes}
    process = cluster.train(
        cluster.nodes[0],
        log,
        f"ray_kwargs.ray_init.address={cluster.address}",
        *TWO_NODES,
        f"run_dir={run_dir}",
        f"trainer.total_training_steps={STEPS}",
        f"trainer.save_freq={STEPS}",
    )
    seen: dict = {"run_dir": run_dir, "before": before}
    metrics = run_dir / "metrics.jsonl"
    while process.poll() is None:
        if "titles" not in seen and metrics.exists() and metrics.read_text().count("\n"):
            seen["titles"] = {node.name: titles(node) for node in cluster.nodes}
            seen["sockets"] = {node.name: listening(node) for node in cluster.nodes}
        time.sleep(0.2)
    return seen | {"code": process.returncode, "output": log.read_text()}


def test_it_trains_to_its_end_with_rollouts_of_the_current_weights(run: dict) -> None:
    assert run["code"] == 0, run["output"][-3000:]
    rows = [json.loads(line) for line in (run["run_dir"] / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert all(row["data"][CORRELATION] >= 0.99 for row in rows)


@pytest.mark.parametrize("name", ["n1", "n2"])
@pytest.mark.parametrize("role", ["ray::WorkerDict", "VLLM::EngineCore", "ray::GroupHttpServer"])
def test_both_nodes_take_part(run: dict, name: str, role: str) -> None:
    assert [title for title in run["titles"][name] if title.startswith(role)], run["titles"][name]


def test_each_rank_saved_its_part(run: dict) -> None:
    saved = {file.name for file in (run["run_dir"] / "checkpoints" / f"global_step_{STEPS}" / "actor").iterdir()}
    assert {f"model_world_size_2_rank_{rank}.pt" for rank in (0, 1)} <= saved


def test_nothing_of_it_stays_on_either_node(cluster: Cluster, run: dict) -> None:
    end = time.monotonic() + 30  # Ray keeps idle workers for some seconds
    roles = ("ray::WorkerDict", "VLLM::", "ray::GroupHttpServer", "ray::TaskRunner", "ray::RewardLoopWorker")
    while left := [title for node in cluster.nodes for title in titles(node) if title.startswith(roles)]:
        assert time.monotonic() < end, left
        time.sleep(0.5)
    for node in cluster.nodes:
        files = node.run(["ls", "/dev/shm", "/tmp"], capture_output=True, text=True).stdout.split()
        assert not [file for file in files if file.startswith(("psm_", "rl-colocate", "gmpo-")) and file != RAY_FOLDER]


# Ray's gRPC servers, written in C++, bind every network of a node that is not loopback's, and its agents' Prometheus
# figures do so in Python: Ray 2.60 has no option for it. The token guards the former; the latter only show numbers.
OPEN = ("ray::", "raylet", "gcs_server", "python", "VLLM::")


def test_only_rays_own_ports_are_open_to_every_network(cluster: Cluster, run: dict) -> None:
    for name in ("n1", "n2"):
        assert not [process for process in everywhere(run["sockets"][name]) if not process.startswith(OPEN)]
    ports = {address.rpartition(":")[2]: address.rpartition(":")[0] for address, _ in run["sockets"]["n1"]}
    assert ports["8265"] == cluster.head  # the dashboard, which takes jobs
    assert "10001" not in ports  # Ray's server for remote clients


def test_the_token_is_in_its_file_alone(cluster: Cluster, run: dict) -> None:
    file = cluster.home / ".ray" / "auth_token"
    token = file.read_text()
    assert len(token) == 64 and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [path for path in run["run_dir"].rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert token not in run["output"]
    assert not [title for node in run["titles"].values() for title in node if token in title]
    grep = ["grep", "-rl", "--exclude=auth_token", token, "/tmp"]
    for node in cluster.nodes:
        assert node.run(grep, capture_output=True, text=True).stdout == ""


def refused(cluster: Cluster, node: Node, folder: Path, *arguments: str) -> str:
    """What a command says that ends with 2."""
    log = folder / "refused.txt"
    began = time.monotonic()
    process = cluster.train(node, log, f"run_dir={folder / 'run'}", *arguments)
    assert process.wait(timeout=150) == 2, log.read_text()
    assert time.monotonic() - began < 120
    assert "Traceback" not in log.read_text() and not (folder / "run").exists()
    return log.read_text()


@pytest.mark.parametrize(
    "node, address, arguments, words",
    [
        (0, "10.213.7.99:6379", (), "does not answer"),
        (2, "n1:6379", TWO_NODES, "of which this machine is no node: join it first"),
    ],
    ids=["no host", "not a node"],
)
def test_a_cluster_that_cannot_run_it_is_refused_in_a_sentence(
    cluster: Cluster, tmp_path: Path, node: int, address: str, arguments: tuple[str, ...], words: str
) -> None:
    said = refused(cluster, cluster.nodes[node], tmp_path, f"ray_kwargs.ray_init.address={address}", *arguments)
    assert words in said and len(said.splitlines()) <= 3


def test_a_folder_that_the_other_node_does_not_see_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    own = "/tmp/of-this-node/run"
    arguments = (f"ray_kwargs.ray_init.address={cluster.address}", *TWO_NODES, f"run_dir={own}")
    assert cluster.train(cluster.nodes[0], log, *arguments).wait(timeout=120) == 2
    assert f"the Ray node {cluster.nodes[1].address} does not see run_dir={own}" in log.read_text()


def test_submit_passes_arguments_through_and_ends_as_the_job_did(cluster: Cluster, tmp_path: Path) -> None:
    odd = tmp_path / 'a folder $HOME "of" runs'
    odd.touch()
    code, output = cluster.script(cluster.nodes[1], "submit.sh", cluster.head, f"run_dir='{odd}'", *TWO_NODES)
    assert code == 1
    assert f"run_dir={odd} is a file: name a folder that does not exist yet." in output


def test_a_submitted_run_that_wants_more_nodes_is_refused_in_a_sentence(cluster: Cluster, tmp_path: Path) -> None:
    arguments = (*SMALL, f"run_dir={tmp_path / 'run'}", "trainer.nnodes=4")
    code, output = cluster.script(cluster.nodes[1], "submit.sh", cluster.head, *arguments)
    assert code == 1
    assert f"needs 4 nodes of 1 GPUs and 3 CPUs (logical ones) and {cluster.address} has 2" in output


def test_stop_ends_a_nodes_part_and_leaves_nothing(cluster: Cluster, run: dict) -> None:
    other = [sys.executable, "-c", "import time; time.sleep(600)", "/tmp/gmpo-ray-00/session_of_another"]
    node = cluster.nodes[1]
    bystander = node.start(other)
    time.sleep(0.5)
    code, output = cluster.script(node, "stop.sh")
    assert (code, output) == (0, "Stopped.\n")
    time.sleep(1)
    assert [title for title in titles(node) if "session_of_another" not in title] == []
    assert node.run(["ls", "/dev/shm"], capture_output=True, text=True).stdout == ""
    namespaces.inner(bystander).kill()
    bystander.wait()
    code, output = cluster.script(node, "stop.sh")
    assert code == 2 and "there is no cluster of this user here" in output


@pytest.mark.parametrize(
    "name, arguments, words",
    [
        ("join.sh", (), "name the head"),
        ("join.sh", ("10.213.7.1:6378",), "nobody answers at 10.213.7.1:6378"),
        ("submit.sh", ("algorithm=gmpo",), "name the head's address"),
        ("submit.sh", ("10.213.7.2",), "nobody takes jobs at 10.213.7.2:8265"),
    ],
)
def test_a_script_says_what_it_lacks(cluster: Cluster, name: str, arguments: tuple[str, ...], words: str) -> None:
    code, output = cluster.script(cluster.nodes[2], name, *arguments)
    assert code == 2 and words in output and len(output.splitlines()) == 1


def test_a_token_that_others_can_read_is_refused(cluster: Cluster) -> None:
    file = cluster.home / ".ray" / "auth_token"
    file.chmod(0o644)
    try:
        code, output = cluster.script(cluster.nodes[2], "join.sh", cluster.address)
        assert code == 2 and "chmod 600" in output
    finally:
        file.chmod(0o600)


def test_a_home_that_is_not_shared_needs_the_token(cluster: Cluster) -> None:
    command = ["bash", "scripts/ray/join.sh", cluster.address]
    environment = cluster.environment | {"HOME": "/tmp"}
    end = cluster.nodes[2].run(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert end.returncode == 2 and "there is no token in /tmp/.ray/auth_token" in end.stderr
