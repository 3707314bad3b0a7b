"""What a run would do, in a few lines, without doing it."""

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.batches import rollout_gpus, world_size
from gmpo_verl.trainer.preflight.data import training_rows
from gmpo_verl.trainer.run_dir import inspect_run_dir


def describe(config: DictConfig) -> str:
    """A report on a configuration that `check` has found nothing wrong with; each line a subject.

    Raises:
        UserError: from the run directory.
    """
    actor, rollout, data = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout, config.data
    run = inspect_run_dir(config)
    responses = data.train_batch_size * rollout.n
    updates = -(-data.train_batch_size // actor.ppo_mini_batch_size) * actor.ppo_epochs
    longest = data.max_prompt_length + data.max_response_length
    rows, steps = training_rows(config), config.trainer.total_training_steps
    if steps is None and rows is not None:
        steps = rows // data.train_batch_size * config.trainer.total_epochs
    per_update = actor.ppo_mini_batch_size * rollout.n
    lines = {
        "loss": f"{actor.policy_loss.loss_mode}, advantages {config.algorithm.adv_estimator}, "
        f"window {actor.clip_ratio_low} and {actor.clip_ratio_high}"
        + (" (log space)" if actor.policy_loss.loss_mode in ("gmpo", "geo_mean") else ""),
        "model": config.actor_rollout_ref.model.path,
        "training data": f"{data.train_files}" + (f", {rows} problems at most" if rows is not None else ""),
        "validation data": f"{data.val_files}, {rollout.val_kwargs.n} responses a problem",
        "round": f"{data.train_batch_size} prompts x {rollout.n} responses = {responses} responses, "
        f"{responses * longest:,} tokens at most",
        "optimizer": f"{updates} steps a round of {per_update} responses, learning rate {actor.optim.lr}",
        "workers": f"{world_size(config)} on {config.trainer.device}, rollouts by {rollout.name}"
        + (f" on {beside} of their own" if (beside := rollout_gpus(config)) else "")
        + f", {config.trainer.v1.trainer_mode}",
        "length": f"{steps if steps is not None else 'an unknown number of'} rounds"
        + (f", {steps * updates:,} optimizer steps, {steps * responses:,} responses" if steps is not None else ""),
        "saves": _every(config.trainer.save_freq) + f", in {config.trainer.default_local_dir}",
        "validates": _every(config.trainer.test_freq),
        "run directory": run.message,
    }
    width = max(len(name) for name in lines)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines.items())


def _every(frequency: int) -> str:
    return f"every {frequency} rounds and at the end" if frequency > 0 else "never"
