import asyncio
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager

from gmpo_verl.rewards.manager import MAX_EXCERPT_CHARS, _excerpt
from gmpo_verl.rewards.thinking_form import has_thinking_form

EOS, PAD, LIMIT = 1, 0, 12
KEYS = {"score", "acc", "format_ok", "timed_out", "error", "truncated", "data_source", "grading_failure"}


class Characters:
    """A tokenizer of one token a character."""

    eos_token_id = EOS
    all_special_ids = (PAD, EOS)

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        return "".join(chr(int(token)) for token in ids if int(token) not in self.all_special_ids)


def run(
    response: str,
    ends: bool,
    padding: int = 0,
    ground_truth: Any = "46",
    limit: int = LIMIT,
    **reward_kwargs: float,
) -> dict[str, Any]:
    async def graded() -> dict[str, Any]:
        reward: dict[str, Any] = {
            "custom_reward_function": {"path": "pkg://gmpo_verl.rewards.math_reward", "name": "compute_score"},
            "reward_manager": {
                "source": "importlib",
                "name": "GMPORewardManager",
                "module": {"path": "pkg://gmpo_verl.rewards.manager"},
            },
        }
        if reward_kwargs:
            reward["reward_kwargs"] = reward_kwargs
        config = OmegaConf.create({"reward": reward, "data": {"max_response_length": limit}})
        manager = load_reward_manager(config, Characters(), reward_router_address=None, reward_model_tokenizer=None)
        tokens = [ord(char) for char in response] + [EOS] * ends
        responses = torch.tensor([tokens + [PAD] * padding], dtype=torch.int64)
        attention_mask = torch.tensor([[1, 1, 1] + [1] * len(tokens) + [0] * padding])
        batch = TensorDict({"responses": responses, "attention_mask": attention_mask}, batch_size=1)
        rows = {"data_source": "test", "reward_model": {"ground_truth": ground_truth}, "extra_info": {}}
        non_tensor_batch = {key: np.array([value], dtype=object) for key, value in rows.items()}
        return await manager.run_single(DataProto(batch=batch, non_tensor_batch=non_tensor_batch))

    return asyncio.run(graded())


@pytest.mark.parametrize(
    ("response", "ends", "score", "acc", "truncated"),
    [
        (r"\boxed{46}", True, 1, 1, 0),
        (r"\boxed{46}.", True, 1, 1, 0),  # the end of text is the last token the limit allows
        (r"\boxed{46}  ", False, 0, 1, 1),
        (r"\boxed{46}", False, 1, 1, 0),  # ended by something else than the limit, a stop string for one
        (r"\boxed{47}", True, 0, 0, 0),
        ("", False, 0, 0, 0),
        ("", True, 0, 0, 0),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_a_response_cut_off_at_the_limit_gets_the_truncated_score(
    response: str, ends: bool, score: float, acc: float, truncated: float, padding: int
) -> None:
    row = run(response, ends, padding=padding)
    extra = row["reward_extra_info"]
    assert (row["reward_score"], extra["score"], extra["acc"], extra["truncated"]) == (score, score, acc, truncated)
    assert set(extra) == KEYS and extra["grading_failure"] == ""


def test_the_truncated_score_can_be_set() -> None:
    assert run(r"\boxed{46}  ", ends=False, truncated_score=-0.5)["reward_score"] == -0.5
    assert run(r"\boxed{46}", ends=True, truncated_score=-0.5)["reward_score"] == 1.0


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (r"\boxed{x}", "x against None"),
        ("\\boxed{\x1b[2J\ud800\n1}", "\ufffd[2J\ufffd 1 against None"),
    ],
)
def test_an_answer_that_could_not_be_graded_is_kept_as_printable_text(response: str, failure: str) -> None:
    extra = run(response, ends=True, ground_truth=None)["reward_extra_info"]
    assert (extra["error"], extra["grading_failure"]) == (1.0, failure)
    assert set(extra) == KEYS


def test_what_is_kept_of_an_answer_is_short() -> None:
    excerpts = run(r"\boxed{9}", ends=True, ground_truth=float("nan"))["reward_extra_info"]["grading_failure"]
    assert excerpts == "9 against nan"
    assert len(_excerpt("x " * 10_000)) == MAX_EXCERPT_CHARS


def test_the_manager_is_registered_as_gmpo() -> None:
    from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls

    from gmpo_verl.rewards.manager import GMPORewardManager

    assert get_reward_manager_cls("gmpo") is GMPORewardManager


@pytest.mark.parametrize(
    ("response", "form"),
    [
        (r"<think>a</think>\boxed{46}", True),
        ("\n<think></think> so\n\\boxed{46}. ", True),
        (r"<think>\boxed{46}</think>", False),
        (r"so <think>a</think>\boxed{46}", False),
        (r"<think>a\boxed{46}", False),
        (r"<think>a</think>\boxed{46", False),
        ("<think>" * 100_000 + "</think>" * 100_000, False),
    ],
)
def test_the_thinking_form_is_tags_first_and_a_box_after_them(response: str, form: bool) -> None:
    assert has_thinking_form(response) is form


@pytest.mark.parametrize(("response", "score"), [(r"\boxed{46}", 0.9), (r"\boxed{47}", 0.0)])
def test_a_share_of_the_score_can_be_for_the_thinking_form(response: str, score: float) -> None:
    row = run(response, ends=True, thinking_weight=0.1)
    assert row["reward_score"] == row["reward_extra_info"]["score"] == pytest.approx(score)
    assert row["reward_extra_info"]["acc"] == float(score > 0)
    with_tags = run("<think></think>" + response, ends=True, thinking_weight=0.1, limit=40)
    assert with_tags["reward_score"] == pytest.approx(score + 0.1)
