"""CountDown's problems: solvable, disjoint, determined by the seed; its solutions against the reward."""

import random
from collections import Counter
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmpo_verl.data.arithmetic.cache import cache_key
from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.data.arithmetic.warm_start import IGNORED_LABEL, encode, make_model
from gmpo_verl.data.countdown import CountdownTask
from gmpo_verl.data.countdown.problems import demonstration, draw_demonstrations, prompt, rows
from gmpo_verl.data.countdown.solutions import solutions
from gmpo_verl.data.sets import SETS
from gmpo_verl.data.sets.data_set import UnusableRowError
from gmpo_verl.errors import UserError
from gmpo_verl.rewards.countdown import Goal, evaluate, goal_of
from gmpo_verl.rewards.math_reward import grade

TASK = CountdownTask(train_size=200, validation_size=50)
TASKS = [TASK, CountdownTask(numbers=4, train_size=60, validation_size=20), replace(TASK, worked_steps=False)]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=4))
def test_every_solution_has_the_value_it_states_and_uses_each_number_once(numbers):
    for solution in solutions(tuple(numbers)):
        value, used = evaluate(solution.expression)
        assert value == solution.value > 0
        assert Counter(used) == Counter(numbers)
        assert len(solution.steps) == len(numbers) - 1
        for step in solution.steps:
            left, _, right = step.partition("=")
            assert evaluate(left)[0] == int(right) > 0


def test_two_numbers_have_the_solutions_that_one_counts_by_hand():
    assert {solution.expression: solution.value for solution in solutions((2, 6))} == {
        "6+2": 8,
        "6*2": 12,
        "6-2": 4,
        "6/2": 3,
    }


@pytest.mark.parametrize("task", TASKS)
def test_problems_are_disjoint_and_every_demonstration_gets_the_reward(task):
    train, validation = task.split()
    assert (len(train), len(validation)) == (task.train_size, task.validation_size)
    keys = [(tuple(sorted(problem.numbers)), problem.target) for problem in (*train, *validation)]
    assert len(set(keys)) == len(keys)
    for problem, row in zip(train[:20], rows(train[:20], "train"), strict=True):
        for solution in problem.solutions:
            answer = demonstration(solution, task.worked_steps)
            assert grade(answer, row["reward_model"]["ground_truth"])["score"] == 1.0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_demonstrations_that_stray_is_the_one_asked_for_and_their_steps_are_right(share):
    train, _ = TASK.split()
    texts = draw_demonstrations(train, 2000, share, True, random.Random(0))
    missed = 0
    for text in texts:
        asked, _, answer = text.partition(":")
        *steps, boxed = answer.split("\n")
        assert all(evaluate(step.partition("=")[0])[0] == int(step.partition("=")[2]) for step in steps)
        missed += grade(boxed, goal_of_prompt(asked))["score"] == 0
    chance = sum(len(p.solutions) / len(p.combinations) for p in train) / len(train)
    assert missed / len(texts) == pytest.approx(share * (1 - chance), abs=0.04)


def goal_of_prompt(text):
    numbers, _, target = text.partition("=")
    return Goal(tuple(map(int, numbers.split(","))), int(target)).ground_truth


def test_the_seed_determines_the_problems():
    assert TASK.split() == TASK.split()
    assert replace(TASK, seed=1).split() != TASK.split()


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_holds_the_tokenizers_own_tokens_and_labels_the_answer_alone(task):
    tokenizer = make_tokenizer()
    train, _ = task.split()
    task = replace(task, stray_share=1.0)
    texts = replace(task, batch_size=400).demonstrations(train, task.clean_steps, random.Random(0))
    input_ids, labels = encode(texts, task, tokenizer)
    for text, ids, row in zip(texts, input_ids, labels, strict=True):
        expected = [*tokenizer.encode(text), tokenizer.eos_token_id]
        start = len(tokenizer.encode(text[: text.index(":") + 1]))
        assert ids[: len(expected)].tolist() == expected
        assert row[start : len(expected)].tolist() == expected[start:]
        assert (row[:start] == IGNORED_LABEL).all() and (row[len(expected) :] == IGNORED_LABEL).all()


@pytest.mark.parametrize("task", TASKS)
def test_the_lengths_are_those_of_the_longest_prompt_and_demonstration(task):
    tokenizer = make_tokenizer()
    problems = [problem for part in task.split() for problem in part]
    assert max(len(prompt(problem)) for problem in problems) <= task.prompt_tokens
    longest = max(
        len(tokenizer.encode(demonstration(solution, task.worked_steps)))
        for problem in problems
        for solution in problem.combinations
    )
    assert longest + 1 == task.response_tokens


def test_a_row_states_its_goal():
    train, _ = TASK.split()
    (row,) = rows(train[:1], "train")
    goal = goal_of(row["reward_model"]["ground_truth"])
    assert (goal.numbers, goal.target) == (train[0].numbers, train[0].target)
    assert row["data_source"] == "countdown"


def test_a_mixture_has_its_experts_and_one_of_them_is_active():
    config = make_model(make_tokenizer(), experts=8).config
    assert (config.model_type, config.num_experts, config.num_experts_per_tok) == ("qwen3_moe", 8, 1)


def test_the_public_set_is_read_into_goals_and_what_is_no_problem_is_said():
    read = SETS["countdown"].read
    problem = read({"nums": [3, 7, 5], "target": 26})
    assert "3, 7, 5" in problem.text and problem.text.endswith("The answer is the expression.")
    assert grade(r"So \boxed{(3*7)+5}.", [problem.answer])["score"] == 1.0
    for row in ({"nums": [], "target": 3}, {"nums": [-1, 4], "target": 3}, {"nums": ["x"], "target": 3}):
        with pytest.raises(UnusableRowError):
            read(row)


@pytest.mark.parametrize(
    ("field", "value"),
    [("numbers", 1), ("numbers", 5), ("experts", 0), ("largest_target", 5), ("clean_steps", -1), ("seed", 0.5)],
)
def test_a_value_out_of_range_is_refused_by_its_name(field, value):
    with pytest.raises(UserError, match=rf"countdown\.{field}="):
        replace(TASK, **{field: value})


def test_every_setting_is_part_of_the_cache_key():
    for field in fields(TASK):
        value = getattr(TASK, field.name)
        changed = not value if isinstance(value, bool) else value * 0.5 if isinstance(value, float) else value + 1
        assert cache_key(replace(TASK, **{field.name: changed})) != cache_key(TASK), field.name
