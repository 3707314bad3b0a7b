"""What preflight says of the embedded tasks' names, options and lengths."""

import pytest

from gmpo_verl.config.compose import compose
from gmpo_verl.data.countdown import CountdownTask
from gmpo_verl.trainer.preflight import check, devices, resources


@pytest.fixture
def findings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resources, "free_memory", lambda: 64e9)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    return lambda *overrides: check(compose(["recipe=countdown", "run_dir=run", *overrides]))


@pytest.mark.parametrize(
    "overrides", [(), ("countdown.numbers=4", "data.max_response_length=56"), ("countdown.experts=8",)]
)
def test_what_the_recipe_says_is_harder_or_a_mixture_is_possible(findings, overrides):
    assert findings(*overrides) == []


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("+countdown.nmbers=4", "countdown.nmbers is not an option: did you mean numbers?"),
        ("countdown.numbers=9", "countdown.numbers=9 is out of range; choose a value from 2 to 4."),
        ("countdown.worked_steps=1", "countdown.worked_steps=1 is neither true nor false."),
        (
            "data.train_files=embedded://countdown/validation",
            "data.train_files=embedded://countdown/validation does not exist: "
            "write data.train_files=embedded://countdown/train.",
        ),
        (
            "data.max_response_length=20",
            "data.max_response_length=20 is shorter than the embedded task's answers: "
            f"write data.max_response_length={CountdownTask().response_tokens}.",
        ),
        (
            "data.max_prompt_length=4",
            "data.max_prompt_length=4 is shorter than the embedded task's prompts: "
            f"write data.max_prompt_length={CountdownTask().prompt_tokens}.",
        ),
    ],
)
def test_a_mistake_in_the_options_of_countdown_is_named(findings, override, says):
    assert findings(override) == [says]


def test_the_problems_of_one_task_can_be_given_to_the_model_of_another(findings):
    assert findings("actor_rollout_ref.model.path=embedded://arithmetic") == []
