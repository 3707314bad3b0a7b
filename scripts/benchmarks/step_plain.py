"""The plain loop of `step.py`: GMPO in one process, transformers' `generate`, no framework around it.

python step_plain.py TASK ROWS STEPS
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from step_log import StepLog
from step_task import Task
from transformers import AutoModelForCausalLM, AutoTokenizer

from gmpo_verl.algorithms.advantage import group_advantages
from gmpo_verl.algorithms.power_mean import Objective, masked_log_ratio, response_losses


class Rollouts(NamedTuple):
    """B responses of T tokens behind prompts of P tokens, padded on the left."""

    tokens: torch.Tensor  # [B, P + T]
    attention: torch.Tensor  # [B, P + T]
    mask: torch.Tensor  # [B, T], True on response tokens, the end of the response included

    def rows(self, chosen: Any) -> "Rollouts":
        return Rollouts(*(tensor[chosen] for tensor in self))


class PlainLoop:
    def __init__(self, task: Task, log: StepLog) -> None:
        self._task, self._log = task, log
        self._objective = Objective(task.clip, task.clip)
        self._tokenizer = AutoTokenizer.from_pretrained(task.model, padding_side="left")
        self._model = AutoModelForCausalLM.from_pretrained(task.model, dtype=torch.float32)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=task.learning_rate, betas=tuple(task.betas), weight_decay=task.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: min(1.0, step / max(1, task.warmup_rounds))
        )
        self._compute_score = task.compute_score()

    def step(self, problems: list[dict[str, Any]]) -> None:
        with self._log.phase("gen"):
            rollouts = self._generate(problems)
            rewards = self._rewards(problems, rollouts)
        with self._log.phase("old_log_prob"), torch.no_grad():
            old = torch.cat([self._log_probs(rollouts.rows(rows)) for rows in self._micro_batches(rollouts)])
        with self._log.phase("adv"):
            groups = torch.arange(len(problems)).repeat_interleave(self._task.responses)
            advantages = group_advantages(rewards, groups, normalise=True)
        with self._log.phase("update_actor"):
            for rows in torch.randperm(len(rewards)).chunk(self._task.updates):
                self._update(rollouts.rows(rows), old[rows], advantages[rows])
            self._schedule.step()
        self._log.end_step(rewards.mean().item())

    @torch.no_grad()
    def _generate(self, problems: list[dict[str, Any]]) -> Rollouts:
        texts = [self._tokenizer.apply_chat_template(row["prompt"], tokenize=False) for row in problems]
        prompts = self._tokenizer(texts, return_tensors="pt", padding=True)
        limit = self._task.max_response_tokens
        tokens = self._model.generate(
            **prompts,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=self._task.responses,
            max_new_tokens=limit,
            min_new_tokens=1 if self._task.ends_early else limit,
        )
        responses = tokens[:, prompts.input_ids.shape[1] :]
        ended = (responses == self._tokenizer.eos_token_id).cumsum(-1)
        mask = ended - (responses == self._tokenizer.eos_token_id).long() == 0
        before = prompts.attention_mask.repeat_interleave(self._task.responses, 0)
        return Rollouts(tokens, torch.cat([before, mask.long()], dim=-1), mask)

    def _rewards(self, problems: list[dict[str, Any]], rollouts: Rollouts) -> torch.Tensor:
        responses = rollouts.tokens[:, -rollouts.mask.shape[1] :]
        texts = [
            self._tokenizer.decode(row[mask], skip_special_tokens=True)
            for row, mask in zip(responses, rollouts.mask, strict=True)
        ]

        async def grade() -> list[dict[str, float]]:
            calls = (
                self._compute_score(row["data_source"], text, row["reward_model"]["ground_truth"])
                for row, text in zip((row for row in problems for _ in range(self._task.responses)), texts, strict=True)
            )
            return await asyncio.gather(*calls)

        return torch.tensor([scores["score"] for scores in asyncio.run(grade())])

    def _update(self, rollouts: Rollouts, old: torch.Tensor, advantages: torch.Tensor) -> None:
        for rows in self._micro_batches(rollouts):
            part = rollouts.rows(rows)
            log_ratio = masked_log_ratio(self._log_probs(part), old[rows], part.mask)
            losses = response_losses(log_ratio, part.mask, advantages[rows], self._objective)
            (losses.sum() / len(old)).backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._task.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def _log_probs(self, rollouts: Rollouts) -> torch.Tensor:
        """Of the response's tokens, [B, T]."""
        count = rollouts.mask.shape[1]
        positions = (rollouts.attention.cumsum(-1) - 1).clamp(min=0)
        logits = self._model(
            rollouts.tokens, attention_mask=rollouts.attention, position_ids=positions, logits_to_keep=count + 1
        ).logits[:, :-1]
        chosen = logits.gather(-1, rollouts.tokens[:, -count:].unsqueeze(-1)).squeeze(-1)
        return chosen - logits.logsumexp(-1)

    def _micro_batches(self, rollouts: Rollouts) -> Iterator[slice]:
        size = self._task.micro_batch
        return (slice(first, first + size) for first in range(0, len(rollouts.tokens), size))


def main(task_file: str, rows: str, steps: str) -> None:
    torch.manual_seed(0)
    task = Task.load(Path(task_file))
    loop = PlainLoop(task, StepLog(Path(rows)))
    for _, problems in zip(range(int(steps)), task.rounds(), strict=False):
        loop.step(problems)


if __name__ == "__main__":
    main(*sys.argv[1:])
