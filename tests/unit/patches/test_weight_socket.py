"""The socket of the weight transfer is the run's own."""

import inspect

import pytest
from verl.workers.rollout.vllm_rollout import vllm_rollout
from verl.workers.rollout.vllm_rollout.bucketed_weight_transfer import BucketedWeightReceiver, BucketedWeightSender

from gmpo_verl.patches import weight_socket

VERLS = "ipc:///tmp/rl-colocate-zmq-01000000-replica-0-rank-0.sock"


@pytest.fixture(autouse=True)
def unpatched(monkeypatch):
    for side in (BucketedWeightSender, BucketedWeightReceiver):
        monkeypatch.setattr(side, "__init__", side.__init__)


def test_verl_still_names_the_socket_by_ray_job_in_tmp():
    source = inspect.getsource(vllm_rollout)
    assert "ipc:///tmp/rl-colocate-zmq-{job_id}-replica-" in source
    assert "get_runtime_context().get_job_id()" in source


def test_both_sides_of_a_run_agree_and_two_runs_differ(monkeypatch, tmp_path):
    weight_socket.install()
    weight_socket.install()  # a second time changes nothing
    handles = []
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        monkeypatch.setenv(weight_socket.TEMP_DIR, str(tmp_path / run))
        sender, receiver = BucketedWeightSender(VERLS), BucketedWeightReceiver(VERLS, device="cpu")
        assert sender.zmq_handle == receiver.zmq_handle
        handles.append(sender.zmq_handle)
    assert handles == [f"ipc://{tmp_path}/{run}/rl-colocate-zmq-01000000-replica-0-rank-0.sock" for run in "ab"]


def test_a_node_without_the_folder_keeps_verls_name(monkeypatch, tmp_path):
    monkeypatch.setenv(weight_socket.TEMP_DIR, str(tmp_path / "elsewhere"))
    assert weight_socket.own_handle(VERLS) == VERLS
    monkeypatch.delenv(weight_socket.TEMP_DIR)
    assert weight_socket.own_handle(VERLS) == VERLS


def test_vllm_without_verl_is_left_alone(monkeypatch):
    monkeypatch.delenv("VERL_RAY_JOB_ID", raising=False)
    before = BucketedWeightReceiver.__init__
    weight_socket.install_in_vllm()
    assert BucketedWeightReceiver.__init__ is before
