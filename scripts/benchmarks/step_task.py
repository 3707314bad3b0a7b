"""The two tasks of `step.py`, and the numbers that all contenders share, read from one configuration of the project."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from random_model import make_model

REWARD_FILE = Path(__file__).with_name("step_reward.py")
REAL_MICRO_BATCH = 16  # responses
REAL_ROOM = 32  # tokens: the recipe's data.max_prompt_length


@dataclass(frozen=True)
class Task:
    """What a contender has to do; travels to its process as JSON."""

    name: str
    model: str  # a folder
    problems: str  # parquet, in verl's columns
    reward: str  # the module of `compute_score`: pkg://NAME or a file, as verl takes it
    overrides: list[str]  # of the project's command, for verl
    prompts: int  # a round
    responses: int  # a prompt
    updates: int  # optimizer steps a round
    micro_batch: int  # responses in one forward and backward pass
    max_response_tokens: int
    ends_early: bool  # false: every response has the maximum of tokens, whatever it says
    learning_rate: float
    betas: list[float]
    weight_decay: float
    warmup_rounds: int
    max_grad_norm: float
    clip: float  # log space
    threads: int
    kv_cache_gib: int  # of vLLM

    @property
    def round_size(self) -> int:
        return self.prompts * self.responses

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "Task":
        return cls(**json.loads(path.read_text()))

    def compute_score(self) -> Any:
        """The reward function, a coroutine of verl's arguments."""
        if self.reward.startswith("pkg://"):
            from gmpo_verl.rewards.math_reward import compute_score
        else:
            from step_reward import compute_score
        return compute_score

    def rounds(self) -> Iterator[list[dict[str, Any]]]:
        """The problems of one round after the other, without an end."""
        import pandas as pd

        rows = pd.read_parquet(self.problems).to_dict("records")
        while True:
            for first in range(0, len(rows) - self.prompts + 1, self.prompts):
                yield rows[first : first + self.prompts]


def make_task(name: str, folder: Path, tokens: int) -> Task:
    """`toy`: the embedded job. `real`: a model of 29 M random parameters, and `tokens` tokens in every response."""
    from gmpo_verl.config.compose import compose
    from gmpo_verl.data.embedded import resolve_embedded

    real = name == "real"
    overrides = [
        "algorithm=gmpo",
        "recipe=arithmetic",
        "trainer.test_freq=-1",
        "trainer.save_freq=-1",
        "trainer.val_before_train=false",
        *(_real_overrides(folder, tokens) if real else ()),
    ]
    config = compose(overrides)
    resolve_embedded(config)
    actor, optim = config.actor_rollout_ref.actor, config.actor_rollout_ref.actor.optim
    prompts, responses = config.data.train_batch_size, config.actor_rollout_ref.rollout.n
    return Task(
        name=name,
        model=str(config.actor_rollout_ref.model.path),
        problems=str(config.data.train_files),
        reward=config.reward.custom_reward_function.path,
        overrides=overrides,
        prompts=prompts,
        responses=responses,
        updates=prompts // actor.ppo_mini_batch_size,
        micro_batch=REAL_MICRO_BATCH if real else actor.ppo_mini_batch_size * responses,
        max_response_tokens=config.data.max_response_length,
        ends_early=not real,
        learning_rate=optim.lr,
        betas=list(optim.betas),
        weight_decay=optim.weight_decay,
        warmup_rounds=optim.lr_warmup_steps,
        max_grad_norm=optim.clip_grad,
        clip=actor.clip_ratio,
        threads=(os.cpu_count() or 1) if real else 1,
        kv_cache_gib=2 if real else 1,  # 256 responses of 262 tokens of the real size need 1.1
    )


def _real_overrides(folder: Path, tokens: int) -> list[str]:
    make_model(folder, REAL_ROOM + tokens)
    micro_batch_tokens = REAL_MICRO_BATCH * (REAL_ROOM + tokens)
    return [
        f"actor_rollout_ref.model.path={folder}",
        f"data.max_prompt_length={REAL_ROOM}",
        f"data.max_response_length={tokens}",
        "actor_rollout_ref.rollout.ignore_eos=true",
        f"actor_rollout_ref.actor.ppo_max_token_len_per_gpu={micro_batch_tokens}",
        f"actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu={micro_batch_tokens}",
        f"reward.custom_reward_function.path={REWARD_FILE}",
        # The project's own gives every response that has no end the same score, and so prunes them all.
        "reward.reward_manager.source=register",
        "reward.reward_manager.name=naive",
    ]
