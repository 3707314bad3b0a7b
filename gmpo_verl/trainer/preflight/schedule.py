"""When the run saves, validates, resumes and ends."""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from gmpo_verl.trainer.checkpoints.markers import MARKER, flaw

_ACTOR = "actor_rollout_ref.actor"


def check(config: DictConfig) -> Iterator[str]:
    trainer = config.trainer
    for name, does in (("save_freq", "saves"), ("test_freq", "validates")):
        value = trainer[name]
        if not isinstance(value, int) or value == 0 or value < -1:
            yield (
                f"trainer.{name}={value} is not possible: write trainer.{name}=10, which {does} every tenth step, "
                "or -1 for never."
            )
    if trainer.val_only:
        yield (
            "trainer.val_only=true trains nothing: "
            "write trainer.val_only=false; python -m gmpo_verl.evaluate validates alone."
        )
    yield from _resume(config)
    steps = trainer.total_training_steps
    ratio = config.actor_rollout_ref.actor.optim.lr_warmup_steps_ratio
    if not 0 <= ratio <= 1:
        yield f"{_ACTOR}.optim.lr_warmup_steps_ratio={ratio} is not a share: write a value from 0 to 1."
    warmup = config.trainer.critic_warmup
    if steps is not None and warmup > steps:
        yield (
            f"trainer.critic_warmup={warmup} lasts beyond trainer.total_training_steps={steps}: write a smaller value."
        )


def _resume(config: DictConfig) -> Iterator[str]:
    trainer = config.trainer
    path = trainer.resume_from_path
    folder = Path(str(path)).expanduser()
    if trainer.resume_mode == "resume_path":
        if not path:
            yield (
                "trainer.resume_from_path is not set: "
                "write the folder global_step_N to resume from, or trainer.resume_mode=auto."
            )
        elif "global_step_" not in str(path) or not folder.is_dir():
            yield f"trainer.resume_from_path={path} is not a folder global_step_N of a run: write one that exists."
        elif (folder / MARKER).exists() and (why := flaw(folder)):  # verl itself marks none
            yield f"trainer.resume_from_path={path} is not whole, it {why}: write another."
    elif path:
        yield (
            f"trainer.resume_from_path={path} has no effect with trainer.resume_mode={trainer.resume_mode}: "
            "write trainer.resume_mode=resume_path."
        )
