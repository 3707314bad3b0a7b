"""What a run keeps of its checkpoints: the last ones, the best, and never less than one whole."""

from checkpoint_folders import write_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.trainer.checkpoints import retention
from gmpo_verl.trainer.checkpoints.markers import MARKER, mark_complete, newest_complete, saved_steps
from gmpo_verl.trainer.checkpoints.retention import remove_superfluous, superfluous

ACCURACIES = st.dictionaries(st.integers(1, 50), st.none() | st.floats(0, 1), max_size=12)


@given(ACCURACIES, st.integers(1, 5))
def test_the_last_ones_and_the_best_stay_and_all_else_goes(accuracies, keep):
    gone = set(superfluous(accuracies, keep))
    staying = accuracies.keys() - gone
    assert set(sorted(accuracies)[-keep:]) <= staying
    measured = [accuracy for accuracy in accuracies.values() if accuracy is not None]
    if measured:
        assert max(measured) in {accuracies[step] for step in staying}
    assert len(staying) <= keep + 1


@given(ACCURACIES)
def test_null_keeps_all(accuracies):
    assert superfluous(accuracies, None) == []


def test_of_two_best_the_later_stays():
    assert superfluous({1: 0.5, 2: 0.5, 3: 0.1, 4: None}, 1) == [1, 3]


def test_what_is_kept_does_not_depend_on_who_saved_it(tmp_path):
    """One process after the other, as after resumes: the markers know."""
    for step, accuracy in ((1, 0.2), (2, 0.9), (3, None), (4, 0.3), (5, 0.1)):
        mark_complete(write_checkpoint(tmp_path, step), accuracy)
        remove_superfluous(tmp_path, 2)
    assert saved_steps(tmp_path) == [5, 4, 2]


def test_without_a_marker_nothing_is_touched(tmp_path):
    write_checkpoint(tmp_path, 1)
    for step in (2, 3):
        mark_complete(write_checkpoint(tmp_path, step))
    assert remove_superfluous(tmp_path, 1) == [2]
    assert saved_steps(tmp_path) == [3, 1]


def test_a_kill_while_a_checkpoint_is_removed_leaves_none_that_looks_whole(tmp_path, monkeypatch):
    for step in (1, 2):
        mark_complete(write_checkpoint(tmp_path, step))
    monkeypatch.setattr(retention.shutil, "rmtree", lambda *_, **__: None)
    remove_superfluous(tmp_path, 1)
    assert not (tmp_path / "global_step_1" / MARKER).exists()
    assert newest_complete(tmp_path) == 2
