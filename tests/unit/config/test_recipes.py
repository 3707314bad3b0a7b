"""The shipped recipes."""

from dataclasses import asdict

from gmpo_verl.config.compose import compose, group_options
from gmpo_verl.data.arithmetic import ArithmeticTask


def test_the_arithmetic_recipe_shows_every_option_of_the_task_at_its_default():
    assert asdict(ArithmeticTask()) == dict(compose([]).arithmetic)


def test_the_groups_list_what_is_shipped_and_nothing_of_verls():
    assert group_options("algorithm") == ["gmpo", "grpo"]
    assert group_options("recipe") == ["arithmetic"]
    assert group_options("hardware") == ["cpu", "gpu"]
