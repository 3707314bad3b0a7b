"""The warm start: its batches, its slips, its repeatability."""

import random

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from gmpo_verl.data.arithmetic.problems import demonstration, draw_demonstrations, prompt, split_problems
from gmpo_verl.data.arithmetic.settings import ArithmeticTask
from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.data.arithmetic.warm_start import IGNORED_LABEL, encode, make_model, warm_start

SHORT = ArithmeticTask(clean_steps=2, slip_steps=1, batch_size=8)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return make_tokenizer()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 1.0])
def test_the_share_of_demonstrations_with_a_slip_is_the_one_asked_for(share: float) -> None:
    task = ArithmeticTask(batch_size=8000)
    train, _ = split_problems(task)
    right = {prompt(p) + demonstration(p) for p in train}
    texts = draw_demonstrations(train, task, share, random.Random(0))
    assert sum(text not in right for text in texts) / len(texts) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("task", [SHORT, ArithmeticTask(digits=3, terms=4, worked_steps=True, train_size=50)])
def test_a_batch_holds_the_tokenizers_own_tokens(task: ArithmeticTask, tokenizer: PreTrainedTokenizerBase) -> None:
    train, _ = split_problems(task)
    texts = draw_demonstrations(train, task, 0.5, random.Random(0))
    input_ids, labels = encode(texts, task, tokenizer)
    for text, ids, row in zip(texts, input_ids, labels, strict=True):
        expected = [*tokenizer.encode(text), tokenizer.eos_token_id]
        assert ids[: len(expected)].tolist() == expected
        assert (ids[len(expected) :] == tokenizer.pad_token_id).all()
        assert row[task.prompt_tokens : len(expected)].tolist() == expected[task.prompt_tokens :]
        assert (row[: task.prompt_tokens] == IGNORED_LABEL).all()
        assert (row[len(expected) :] == IGNORED_LABEL).all()


def test_the_model_has_about_half_a_million_parameters(tokenizer: PreTrainedTokenizerBase) -> None:
    model = make_model(tokenizer)
    assert 400_000 < sum(p.numel() for p in model.parameters()) < 600_000
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.config.eos_token_id == tokenizer.eos_token_id


def test_the_same_settings_give_the_same_model_and_touch_no_global_state(tokenizer: PreTrainedTokenizerBase) -> None:
    train, _ = split_problems(SHORT)
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    first, second = (warm_start(SHORT, train, tokenizer).state_dict() for _ in range(2))
    other = warm_start(ArithmeticTask(clean_steps=2, slip_steps=1, batch_size=8, seed=1), train, tokenizer)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], value) for name, value in other.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.get_num_threads() == threads


def test_the_loss_falls_within_a_few_steps(tokenizer: PreTrainedTokenizerBase) -> None:
    task = ArithmeticTask(clean_steps=30, slip_steps=0, batch_size=16)
    train, validation = split_problems(task)
    input_ids, labels = encode([prompt(p) + demonstration(p) for p in validation], task, tokenizer)
    untrained, trained = make_model(tokenizer), warm_start(task, train, tokenizer)
    with torch.no_grad():
        before, after = (model(input_ids=input_ids, labels=labels).loss for model in (untrained, trained))
    assert after < 0.5 * before
