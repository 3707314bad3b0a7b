"""verl's FSDP2 engine goes on from the checkpoint of any number of ranks, bit for bit."""

import os
import pickle

import loaded_checkpoint
import pytest
import saved_checkpoint
import torch
from rank_processes import run_on_ranks

from gmpo_verl.patches.checkpoint_loading import load_safely

SAVED_BY = (1, 3)  # of three ranks none has the same share of every tensor
LOADED_BY = 2


@pytest.fixture(scope="module")
def states(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    saved = run_on_ranks(SAVED_BY, saved_checkpoint.__file__, model, folder)
    loaded = run_on_ranks((LOADED_BY,), loaded_checkpoint.__file__, model, folder)
    return saved, loaded[LOADED_BY]


@pytest.mark.parametrize("before", SAVED_BY)
@pytest.mark.parametrize("part", ["model", "moments", "rates", "schedule", "random"])
def test_what_is_loaded_is_what_was_saved(states, before, part):
    saved, loaded = states
    assert_equal(loaded[f"by_{before}"][part], saved[before][part])


def test_the_past_of_the_optimizer_is_there_to_be_lost(states):
    moments = states[0][1]["moments"]
    assert all(values["step"] == 2 and values["exp_avg"].abs().max() > 0 for values in moments.values())


def test_a_file_that_would_run_code_is_refused(tmp_path):
    file, sprung = tmp_path / "model.pt", tmp_path / "sprung"
    torch.save({"weight": Trap(sprung)}, file)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        load_safely(file)
    assert not sprung.exists()
    torch.load(file, weights_only=False)
    assert sprung.exists()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (os.mkdir, (str(self.file),))


def assert_equal(one, other):
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    else:
        assert one == other
