"""What is said of a Ray cluster that a run is to join."""

import socket
from types import SimpleNamespace

import pytest

from gmpo_verl.config.compose import compose
from gmpo_verl.errors import UserError
from gmpo_verl.trainer import joined_cluster

HERE = {"gmpo_verl": "0.1.0", "verl": "0.9.1", "Python": "3.11"}
NODE = {"address": "10.0.0.2", "gpus": 1.0, "cpus": 16.0, "versions": HERE, "plugin": True, "unseen": []}
FREE = {"GPU": 2.0, "CPU": 32.0}


def config(nodes=2, gpus=1):
    address = "ray_kwargs.ray_init.address=head:6379"
    return compose([address, f"trainer.nnodes={nodes}", f"trainer.n_gpus_per_node={gpus}"])


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:port", "http://head:8265", ":6379"])
def test_an_address_of_another_form_is_refused(address):
    said = joined_cluster.unreachable(address)
    assert f"address={address}" in said and "HOST:PORT" in said


def test_an_address_where_nobody_listens_is_refused_at_once_and_one_where_somebody_does_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert joined_cluster.unreachable(address) == ""
    assert "does not answer (Connection refused)" in joined_cluster.unreachable(address)


def test_every_node_needs_its_workers_gpus_and_cpus():
    small = NODE | {"address": "10.0.0.3", "cpus": 2.0}
    (said,) = joined_cluster.size_findings(config(), "head:6379", {"nodes": [NODE, small], "free": FREE})
    assert said.may_pass
    assert "needs 2 nodes of 1 GPUs and 3 CPUs" in said and "has 1 (" in said and "10.0.0.3 with 1 and 2" in said
    assert list(joined_cluster.size_findings(config(), "head:6379", {"nodes": [NODE, NODE], "free": FREE})) == []


def test_what_others_hold_may_be_free_a_little_later():
    answer = {"nodes": [NODE, NODE], "free": {"GPU": 1.0, "CPU": 32.0}}
    (said,) = joined_cluster.size_findings(config(), "head:6379", answer)
    assert said.may_pass and "has 1 GPUs free and the run takes 2" in said


@pytest.mark.parametrize(
    "change, words",
    [
        (
            {"versions": HERE | {"gmpo_verl": None}},
            "has gmpo_verl missing where this machine has gmpo_verl 0",
        ),
        ({"versions": HERE | {"verl": "0.9.0"}}, "has verl 0.9.0 where"),
        ({"plugin": False}, "has no entry point of gmpo_verl in verl.plugins"),
        ({"unseen": ["mark"]}, "does not see run_dir=run: name a folder on a file system that all nodes share"),
        ({"unseen": ["/models/7b"]}, "does not see /models/7b: put it on"),
        ({"error": "WorkerCrashedError"}, "starts no worker (WorkerCrashedError)"),
    ],
)
def test_a_node_that_cannot_take_part_is_named(change, words):
    said = joined_cluster.node_finding(NODE | change, HERE, "mark", "run")
    assert said.startswith("the Ray node 10.0.0.2 ") and words in said
    assert joined_cluster.node_finding(NODE, HERE, "mark", "run") == ""


@pytest.mark.parametrize(
    "output, words",
    [
        ("ray.exceptions.AuthenticationError: no token", "RAY_AUTH_TOKEN_PATH"),
        ("Exception: node_ip_address.json not found", "this machine is no node: join it first"),
        (
            "RuntimeError: Version mismatch: 2.60 and 2.61.",
            "cannot be joined: RuntimeError: Version mismatch: 2",
        ),
        ("", "no reason given"),
    ],
)
def test_rays_own_refusals_become_a_sentence(output, words):
    said = joined_cluster._why_no_answer("head:6379", output)
    assert said.startswith("ray_kwargs.ray_init.address=head:6379 ") and words in said


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    # The module's own name alone: other threads of the session sleep too.
    monkeypatch.setattr(joined_cluster, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return now


@pytest.mark.parametrize("restart, patience", [("0", 20), ("1", 600)])
def test_a_cluster_that_is_too_small_is_waited_for_longer_after_a_restart(monkeypatch, clock, restart, patience):
    monkeypatch.setenv(joined_cluster.RESTART, restart)
    monkeypatch.setattr(joined_cluster, "_findings", lambda *_: iter([joined_cluster.Passing("one node is missing.")]))
    with pytest.raises(UserError, match="one node is missing"):
        joined_cluster.check_cluster(config())
    assert patience < clock[0] <= patience + 2 * joined_cluster._PAUSE_SECONDS


def test_what_no_patience_mends_is_said_at_once_but_after_a_restart_the_head_may_come_back(monkeypatch, clock):
    answers = [[joined_cluster.Finding("nobody answers.")]] * 3 + [[]]
    monkeypatch.setattr(joined_cluster, "_findings", lambda *_: iter(answers.pop(0)))
    monkeypatch.setenv(joined_cluster.RESTART, "0")
    with pytest.raises(UserError, match="nobody answers"):
        joined_cluster.check_cluster(config())
    assert clock[0] == 0
    monkeypatch.setenv(joined_cluster.RESTART, "1")
    joined_cluster.check_cluster(config())
    assert answers == [] and clock[0] == 2 * joined_cluster._PAUSE_SECONDS
