"""What goes to the transfer queue is what verl puts there, less what nobody reads."""

import ast
import inspect

import pytest
import torch
from plain_values import plain
from tensordict import TensorDict
from verl.trainer.ppo.v1 import replay_buffer, trainer_base
from verl.utils.tensordict_utils import assert_tensordict_eq, list_of_dict_to_tensordict

from gmpo_verl.rollout.queue_rows import UNREAD, _joined


@pytest.mark.parametrize("module", [trainer_base, replay_buffer])
def test_what_is_left_out_is_in_no_list_of_fields_that_verls_trainers_fetch(module):
    tree = ast.parse(inspect.getsource(module))
    lists = [node.elts for node in ast.walk(tree) if isinstance(node, ast.List)]
    names = {item.value for items in lists for item in items if isinstance(item, ast.Constant)}
    assert "rm_scores" in names
    assert not names & UNREAD


def test_columns_are_joined_as_verl_joins_them():
    shared = {"style": "rule"}
    columns = {
        "images": [torch.arange(length) for length in (1, 4, 3)],
        "pixels": [torch.ones(2)] * 3,
        "raw_prompt": [[{"role": "user"}] * length for length in (1, 0, 1)],
        "extra_fields": [{"index": [1]}, {"index": [2]}, {"index": [1]}],
        "reward_model": [shared, shared, {"style": "rule"}],
        "uid": ["a"] * 3,
        "level": [None] * 3,
        "num_turns": [2] * 3,
    }
    rows = [{name: values[row] for name, values in columns.items()} for row in range(3)]
    ours = TensorDict({name: _joined(values) for name, values in columns.items()}, batch_size=3)
    assert_tensordict_eq(ours, list_of_dict_to_tensordict(rows))
    assert [{name: plain(ours[name][row]) for name in columns} for row in range(3)] == [
        {name: plain(value) for name, value in row.items()} for row in rows
    ]
