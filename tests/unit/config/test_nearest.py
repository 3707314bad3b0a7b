"""Misspelt names find the ones that were meant."""

from gmpo_verl.config.nearest import nearest, nearest_keys, one_of, suggestion

KEYS = ["a.optim", "a.optim.lr", "a.optim.betas", "b.optim.lr", "trainer.nnodes", "trainer", "seed"]


def test_a_misspelt_leaf_finds_its_sibling_first():
    assert nearest_keys("a.optim.lrr", KEYS)[0] == "a.optim.lr"


def test_a_key_without_its_beginning_finds_all_that_end_so():
    assert nearest_keys("optim.lr", KEYS) == ["a.optim.lr", "b.optim.lr"]


def test_nothing_is_suggested_for_what_is_not_close():
    assert nearest_keys("zzzz", KEYS) == []
    assert nearest("zzzz", KEYS) == []


def test_choices_read_as_a_sentence():
    assert [one_of(["a"]), one_of(["a", "b"]), one_of(["a", "b", "c"])] == ["a", "a or b", "a, b or c"]
    assert suggestion("gmop", ["gmpo", "other"]) == "did you mean gmpo?"
    assert suggestion("zzz", ["b", "a"]) == "write a or b."
