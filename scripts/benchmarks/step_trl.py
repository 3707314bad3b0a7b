"""TRL's GMPOTrainer in `step.py`: one process, transformers' `generate`, as TRL's users get it without vLLM.

python step_trl.py TASK ROWS STEPS
"""

import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from step_log import StepLog
from step_task import Task

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl.experimental.gmpo import GMPOConfig, GMPOTrainer


class TimedTrainer(GMPOTrainer):
    """Says where the time goes; what is not named here (batching, advantages, metrics) is the step's rest."""

    def __init__(self, log: StepLog, *args: Any, **kwargs: Any) -> None:
        self.log_of_steps = log
        super().__init__(*args, **kwargs)

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        with self.log_of_steps.phase("gen"):
            return super()._generate(*args, **kwargs)

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Any:
        with self.log_of_steps.phase("gen"):
            return super()._calculate_rewards(*args, **kwargs)

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        with self.log_of_steps.phase("update_actor" if torch.is_grad_enabled() else "old_log_prob"):
            return super()._get_per_token_logps_and_entropies(*args, **kwargs)

    def _prepare_inputs(self, *args: Any, **kwargs: Any) -> Any:
        with self.log_of_steps.phase("rest"):
            return super()._prepare_inputs(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        with self.log_of_steps.phase("update_actor"):
            return super().training_step(*args, **kwargs)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().create_optimizer(*args, **kwargs)
        step = optimizer.step

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.log_of_steps.phase("update_actor"):
                return step(*args, **kwargs)

        optimizer.step = timed
        return optimizer


class Rounds(TrainerCallback):
    """Writes a row at the end of every round, which is several of the trainer's own steps."""

    def __init__(self, log: StepLog, updates: int) -> None:
        self._log, self._updates = log, updates
        self.scores: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self._updates == 0:
            self._log.end_step(statistics.mean(self.scores))


def configuration(task: Task, steps: int, folder: str) -> GMPOConfig:
    per_update = task.round_size // task.updates
    return GMPOConfig(
        output_dir=folder,
        max_steps=steps * task.updates,
        per_device_train_batch_size=task.micro_batch,
        gradient_accumulation_steps=per_update // task.micro_batch,
        steps_per_generation=task.round_size // task.micro_batch,
        num_generations=task.responses,
        max_completion_length=task.max_response_tokens,
        generation_kwargs=None if task.ends_early else {"min_new_tokens": task.max_response_tokens},
        temperature=1.0,
        epsilon=task.clip,
        beta=0.0,
        learning_rate=task.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=task.warmup_rounds * task.updates,
        adam_beta1=task.betas[0],
        adam_beta2=task.betas[1],
        weight_decay=task.weight_decay,
        max_grad_norm=task.max_grad_norm,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        dataloader_pin_memory=False,
        logging_steps=task.updates,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )


def main(task_file: str, rows: str, steps: str) -> None:
    task = Task.load(Path(task_file))
    log = StepLog(Path(rows))
    rounds = Rounds(log, task.updates)
    compute_score = task.compute_score()

    async def reward(completions: list[Any], data_source: list[str], ground_truth: list[str], **_: Any) -> list[float]:
        texts = [messages[0]["content"] for messages in completions]
        calls = (compute_score(*row) for row in zip(data_source, texts, ground_truth, strict=True))
        rounds.scores = [scores["score"] for scores in await asyncio.gather(*calls)]
        return rounds.scores

    problems = [
        {
            "prompt": [dict(message) for message in row["prompt"]],
            "data_source": row["data_source"],
            "ground_truth": row["reward_model"]["ground_truth"],
        }
        for _, problems in zip(range(int(steps)), task.rounds(), strict=False)
        for row in problems
    ]
    with tempfile.TemporaryDirectory() as folder:
        TimedTrainer(
            log,
            model=AutoModelForCausalLM.from_pretrained(task.model, dtype=torch.float32),
            processing_class=AutoTokenizer.from_pretrained(task.model, padding_side="left"),
            reward_funcs=reward,
            args=configuration(task, int(steps), folder),
            train_dataset=Dataset.from_list(problems),
            callbacks=[rounds],
        ).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
