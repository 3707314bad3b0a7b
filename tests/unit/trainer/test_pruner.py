"""What of a round reaches the passes over the model, and what the responses that do not are given."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from row_queue import RowQueue, packed
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta

from gmpo_verl.config.compose import compose
from gmpo_verl.trainer.pruner import Pruner, make_pruner
from gmpo_verl.trainer.pruning import kept_rows

GROUP, STEPS = 4, 2


@pytest.fixture(scope="module")
def config():
    sizes = (f"actor_rollout_ref.rollout.n={GROUP}", "actor_rollout_ref.actor.ppo_mini_batch_size=4")
    return compose(("data.train_batch_size=8", *sizes))


def a_round(rewards, lengths):
    """A queue with the responses of as many groups as there are rewards, and their batch."""
    queue, count = RowQueue(), len(lengths)
    keys = [f"{row // GROUP}_{row % GROUP}_0" for row in range(count)]
    scores = [
        torch.tensor([0.0] * (length - 1) + [float(score)]) for length, score in zip(lengths, rewards, strict=True)
    ]
    fields = {
        "uid": NonTensorStack(*(key.split("_")[0] for key in keys)),
        "response_mask": packed([torch.ones(length, dtype=torch.int64) for length in lengths]),
        "rm_scores": packed(scores),
    }
    queue.kv_batch_put(keys, "train", TensorDict(fields, batch_size=count))
    tags = [{"seq_len": 5 + length} for length in lengths]
    return queue, KVBatchMeta(partition_id="train", keys=keys, tags=tags, extra_info={})


ROUND = 8 * GROUP
SCORES = st.lists(st.integers(0, 1), min_size=GROUP, max_size=GROUP)
GROUPS = st.lists(st.one_of(SCORES, st.just([0] * GROUP), st.just([1] * GROUP)), min_size=8, max_size=8)


@settings(max_examples=60)
@given(GROUPS, st.lists(st.integers(1, 9), min_size=ROUND, max_size=ROUND), st.sampled_from([1, 2]))
def test_the_rest_keeps_its_rows_spread_over_the_ranks_and_those_that_leave_have_zeros(config, groups, lengths, ranks):
    rewards = [score for group in groups for score in group]
    queue, batch = a_round(rewards, lengths)
    pruner = Pruner(config, ranks, queue)
    pruned = pruner.prune(batch)

    mixed = np.repeat([len(set(group)) > 1 for group in groups], GROUP)
    expected = kept_rows(mixed, [str(row // GROUP) for row in range(ROUND)], np.array(lengths), STEPS * ranks)
    assert sorted(pruned.keys) == sorted(batch.keys[row] for row in expected)
    assert [tag["seq_len"] for tag in pruned.tags] == [5 + lengths[batch.keys.index(key)] for key in pruned.keys]
    assert pruner.metrics["gmpo/zero_advantage_frac"] == 1 - mixed.mean()
    assert pruner.metrics["gmpo/pruned_frac"] == 1 - len(expected) / ROUND
    for row, key in enumerate(batch.keys):
        zeros = [] if row in expected else [[0.0] * lengths[row]] * 2
        assert [
            queue.rows[key][name].tolist() for name in ("advantages", "returns") if name in queue.rows[key]
        ] == zeros


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_optimizer_steps_stay_as_many_for_a_smaller_batch(config, ranks):
    queue, batch = a_round([1, 0, 0, 0] + [0] * (ROUND - 4), [3] * ROUND)
    pruner = Pruner(config, ranks, queue)
    pruned = pruner.prune(batch)
    assert len(pruned) == 4
    pruner.resized(lambda batch: None)(pruned)
    assert pruned.extra_info == {"mini_batch_size": 4 // STEPS}


def test_a_round_in_which_every_group_counts_is_left_as_it_is(config):
    queue, batch = a_round([1, 0, 0, 0] * 8, [3] * ROUND)
    assert Pruner(config, 2, queue).prune(batch) is batch
    assert queue.calls == ["put", "get"]


def test_the_ranks_get_as_many_rows_and_about_as_many_tokens(config):
    lengths = [9] * 4 + [1] * 4 + [3] * (ROUND - 8)
    queue, batch = a_round([1, 0, 0, 0] * 2 + [0] * (ROUND - 8), lengths)
    pruned = Pruner(config, 2, queue).prune(batch)
    halves = [sorted(tag["seq_len"] for tag in pruned.tags[half]) for half in (slice(4), slice(4, 8))]
    assert halves == [[6, 6, 14, 14]] * 2


@pytest.mark.parametrize(("asked", "made"), [(False, False), ("auto", True), (True, True)])
def test_it_is_made_where_it_is_asked_for(config, asked, made, monkeypatch):
    monkeypatch.setattr("gmpo_verl.trainer.pruner.AutoConfig.from_pretrained", lambda *_, **__: None)
    config = config.copy()
    config.trainer.prune_zero_advantage = asked
    assert (make_pruner(config, 1, pytest.fail, RowQueue()) is not None) == made
