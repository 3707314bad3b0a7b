"""Values of the wrong type, impossible counts, and options that were deleted."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, flag_override

from gmpo_verl.config.compose import verl_configs
from gmpo_verl.config.plain import by_dotted_key, plain

_ACTOR, _ROLLOUT, _REF = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.ref"

COUNTS = (
    "data.train_batch_size",
    "data.max_prompt_length",
    "data.max_response_length",
    f"{_ACTOR}.ppo_mini_batch_size",
    f"{_ACTOR}.ppo_epochs",
    f"{_ACTOR}.entropy_from_logits_chunk_size",
    f"{_ROLLOUT}.n",
    f"{_ROLLOUT}.val_kwargs.n",
    f"{_ROLLOUT}.tensor_model_parallel_size",
    f"{_ROLLOUT}.data_parallel_size",
    f"{_ROLLOUT}.pipeline_model_parallel_size",
    f"{_ROLLOUT}.max_num_seqs",
    f"{_ROLLOUT}.max_num_batched_tokens",
    f"{_ROLLOUT}.agent.num_workers",
    f"{_ROLLOUT}.n_gpus_per_node",
    "reward.num_workers",
    "trainer.nnodes",
    "trainer.n_gpus_per_node",
    "trainer.total_epochs",
    "trainer.v1.separate_async.parameter_sync_step",
)
OPTIONAL_COUNTS = (
    "ray_kwargs.ray_init.num_cpus",
    "data.gen_batch_size",
    f"{_ACTOR}.ppo_micro_batch_size_per_gpu",
    f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu",
    f"{_REF}.log_prob_micro_batch_size_per_gpu",
    f"{_ROLLOUT}.max_model_len",
    "trainer.total_training_steps",
    "trainer.keep_checkpoints",
    "trainer.v1.sampler.max_off_policy_threshold",
)
# Names of files, folders and modules: one, or none.
TEXTS = (
    "run_dir",
    "actor_rollout_ref.model.path",
    "actor_rollout_ref.model.tokenizer_path",
    "data.custom_cls.path",
    "reward.custom_reward_function.path",
    "reward.reward_manager.module.path",
    "trainer.default_local_dir",
    "trainer.resume_from_path",
    "trainer.rollout_data_dir",
    "trainer.validation_data_dir",
    "trainer.v1.sampler.custom_sampler.path",
)
# One name or a list of them.
NAME_LISTS = ("actor_rollout_ref.model.external_lib", "data.train_files", "data.val_files", "trainer.logger")
# By default the same as another, whose sentence is enough.
_INHERITED = {f"{_ROLLOUT}.n_gpus_per_node": "trainer.n_gpus_per_node"}
# verl's default is a number, and null is understood as well.
_RAY_GPUS = "ray_kwargs.ray_init.num_gpus"
_NULLABLE = (f"{_ACTOR}.clip_ratio_low", f"{_ACTOR}.clip_ratio_high", _RAY_GPUS)
_OURS: dict[str, Any] = {
    "seed": 0,
    "run_dir": "",
    "dry_run": False,
    "trainer.max_restarts": 0,
    "trainer.keep_checkpoints": 3,
    "trainer.kl_to_ref": False,
    "trainer.prune_zero_advantage": "auto",
    "reward.reward_kwargs.truncated_score": 0.0,
    "reward.reward_kwargs.thinking_weight": 0.0,
    _RAY_GPUS: 1,
    f"{_ROLLOUT}.enable_sleep_mode": True,
}
_MAY_BE_ABSENT = (f"{_ROLLOUT}.enable_sleep_mode", _RAY_GPUS)  # verl and Ray have their own defaults
# Groups of options that are read without a look whether they are one; others may be null.
_GROUPS = (
    "actor_rollout_ref",
    _ACTOR,
    f"{_ACTOR}.fsdp_config",
    f"{_ACTOR}.optim",
    f"{_ACTOR}.policy_loss",
    "actor_rollout_ref.model",
    "actor_rollout_ref.model.override_config",
    _REF,
    _ROLLOUT,
    f"{_ROLLOUT}.agent",
    f"{_ROLLOUT}.val_kwargs",
    "algorithm",
    "arithmetic",
    "countdown",
    "data",
    "ray_kwargs",
    "ray_kwargs.ray_init",
    "reward",
    "reward.custom_reward_function",
    "reward.reward_kwargs",
    "reward.reward_manager",
    "trainer",
    "trainer.v1",
    "transfer_queue",
)
_CHECKED_BY_OPTIONS = ("seed", "dry_run", "trainer.max_restarts", "trainer.kl_to_ref", "trainer.prune_zero_advantage")


@cache
def reference() -> dict[str, Any]:
    """verl's own value of every option by dotted key, interpolations left as they are, and ours."""
    # verl ships its defaults once more as one flat file, generated from the folder it composes.
    path = verl_configs() / "_generated_ppo_trainer.yaml"
    leaves: dict[str, Any] = {}

    def walk(node: Any, key: str) -> None:
        if isinstance(node, dict) and node:
            for name, child in node.items():
                walk(child, f"{key}.{name}" if key else str(name))
        else:
            leaves[key] = node

    walk(yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), "")
    return leaves | _OURS


@cache
def verl_keys() -> frozenset[str]:
    """Every dotted key of verl's own configuration, folders of keys included."""
    keys: set[str] = set()
    for leaf in reference():
        parts = leaf.split(".")
        keys.update(".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return frozenset(keys)


def flatten(config: DictConfig) -> dict[str, Any]:
    """Every dotted key with its resolved value, folders of keys included."""
    return by_dotted_key(plain(config))


def missing_keys(given: dict[str, Any]) -> Iterator[str]:
    """A sentence for each option that was deleted (`~key`), or a group that is none, although verl or we read it.

    Args:
        given: the configuration, flattened.
    """
    for group in _GROUPS:
        if group in given and not isinstance(given[group], dict):
            yield (
                f"{group}={_shown(given[group])} is a group of options: leave it out, or set the options in it, "
                f"as {group}.NAME=VALUE."
            )
    # Another engine (model_engine=megatron) has other options below actor, ref and critic; verl checks those.
    skipped = () if given.get("model_engine", "dp") == "dp" else (_ACTOR, _REF, "critic", "actor_rollout_ref.model")
    reported: list[str] = []
    for key in dict.fromkeys((*COUNTS, *OPTIONAL_COUNTS, *reference())):
        if key in _MAY_BE_ABSENT or key.startswith(skipped) or key in given:
            continue
        while "." in key and key.rpartition(".")[0] not in given:
            key = key.rpartition(".")[0]
        parent = given.get(key.rpartition(".")[0], {})
        if key not in reported and isinstance(parent, dict):
            reported.append(key)
            yield f"{key} was deleted but is needed: leave out ~{key}, or write {key}=null where none is meant."


def wrong_values(given: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """For each option of the wrong type and each impossible count: a sentence, and a value to go on checking with.

    Args:
        given: the configuration, flattened.
    """
    wrong: dict[str, tuple[str, Any]] = {}
    for key in COUNTS:
        if not _is_count(given[key]) and (key not in _INHERITED or given[key] != given[_INHERITED[key]]):
            wrong[key] = (f"{key}={_shown(given[key])} is not possible: write a whole number of at least 1.", 1)
    for key in OPTIONAL_COUNTS:
        if given[key] is not None and not _is_count(given[key]):
            sentence = f"{key}={_shown(given[key])} is not possible: write a whole number of at least 1, or null."
            wrong[key] = (sentence, None)
    for key, default in reference().items():
        if key in (*COUNTS, *OPTIONAL_COUNTS, *_CHECKED_BY_OPTIONS) or key not in given:
            continue
        wanted = _wanted(key, given[key], default)
        if wanted:
            sentence = f"{key}={_shown(given[key])} is not possible: write {wanted}, as {_shown(default)}."
            wrong[key] = (sentence, default)
    return wrong


def settled(config: DictConfig, replacements: dict[str, Any]) -> DictConfig:
    """A copy with some values replaced and every interpolation resolved, which also makes it quick to read."""
    config = config.copy()
    with flag_override(config, ["struct", "readonly"], [False, False]):
        for key, value in replacements.items():
            OmegaConf.update(config, key, value)
    return OmegaConf.create(plain(config))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _wanted(key: str, value: Any, default: Any) -> str:
    """What should be written instead of `value`, empty where its type fits verl's own."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool):
        return "" if value is None or isinstance(value, bool) else "true or false"
    if isinstance(default, int | float):
        return "" if is_number or (value is None and key in _NULLABLE) else "a number"
    if value is None:
        return ""
    if key in TEXTS:
        return "" if isinstance(value, str) else "one name"
    if key in NAME_LISTS:
        names = value if isinstance(value, list) else [value]
        return "" if all(isinstance(name, str) for name in names) else "a name or a list of names"
    if isinstance(default, list):
        return "" if isinstance(value, list) else "a list"
    return ""


def _shown(value: Any) -> str:
    """As one would write it on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
