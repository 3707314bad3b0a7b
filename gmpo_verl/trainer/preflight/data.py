"""The training and validation files: there, readable, with the columns that are read, and long enough."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.config.nearest import nearest, one_of
from gmpo_verl.data.embedded import is_embedded
from gmpo_verl.errors import reason
from gmpo_verl.rewards.answer import template_of
from gmpo_verl.trainer.preflight.options import embedded_task
from gmpo_verl.trainer.preflight.prepared_sets import missing_file
from gmpo_verl.trainer.preflight.prompt_lengths import longer_prompts
from gmpo_verl.trainer.preflight.rows import Rows, read_rows

_OUR_REWARD = "pkg://gmpo_verl.rewards.math_reward"
_REMOTE = ("hdfs://", "s3://", "gs://", "http://", "https://")


def check(config: DictConfig) -> Iterator[str]:
    readable: dict[str, list[Rows]] = {}
    for key in ("data.train_files", "data.val_files"):
        files = file_names(config, key)
        if not files:
            also = "" if key == "data.train_files" else ", which verl reads even where trainer.test_freq=-1"
            yield f"{key} is not set{also}: write a parquet file."
        readable[key] = []
        for name in files:
            if is_embedded(name) or name.startswith(_REMOTE):
                continue
            rows = yield from _file(config, key, name)
            if rows is not None:
                readable[key].append(rows)
    too_long: dict[str, int] = {}
    for key, tables in readable.items():
        too_long[key] = yield from _prompt_lengths(config, key, tables)
    yield from _amount(config, readable["data.train_files"], too_long["data.train_files"])


def file_names(config: DictConfig, key: str) -> list[str]:
    """The files of `data.train_files` or `data.val_files`: one name or a list of them."""
    value = OmegaConf.select(config, key)
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(name) for name in value]


def absolute(name: str) -> str:
    """A data file by its whole path, where it is on a disk."""
    elsewhere = is_embedded(name) or name.startswith(_REMOTE)
    return name if elsewhere else str(Path(name).expanduser().absolute())


def training_rows(config: DictConfig) -> int | None:
    """How many problems a pass over the training files has; None where a file cannot be counted here.

    For the embedded task a bound from above: a few problems are held out for validation.
    """
    total = 0
    for name in file_names(config, "data.train_files"):
        if is_embedded(name):
            task = embedded_task(config)
            if task is None:
                return None
            total += min(task.train_size, task.problem_count - task.validation_size)
        else:
            rows = None if name.startswith(_REMOTE) else read_rows(Path(name).expanduser())
            if not isinstance(rows, Rows):
                return None
            total += rows.count
    limit = config.data.train_max_samples
    return min(total, limit) if limit and limit > 0 else total


def _file(config: DictConfig, key: str, name: str) -> Any:
    """Yield what is wrong with one file; return its rows where they can be read."""
    path = Path(name).expanduser()
    if not path.exists():
        yield missing_file(key, name)
        return None
    if path.is_dir():
        inside = sorted(entry.name for entry in path.glob("*.parquet"))
        hint = f"did you mean {path / inside[0]}?" if inside else "write a parquet file."
        yield f"{key}={name} is a folder: {hint}"
        return None
    if path.suffix not in (".parquet", ".json", ".jsonl"):
        yield f"{key}={name} is of a kind that verl does not read: write a file .parquet, .json or .jsonl."
        return None
    rows = read_rows(path)
    if isinstance(rows, str):
        yield f"{key}={name} cannot be read ({rows}): write another file, or make it again."
        return None
    if rows.count == 0:
        yield f"{key}={name} has no rows: write a file with problems."
        return None
    findings = list(_columns(config, key, name, rows))
    yield from findings
    return None if findings else rows


def _columns(config: DictConfig, key: str, name: str, rows: Rows) -> Iterator[str]:
    for option, column in (
        ("data.prompt_key", config.data.prompt_key),
        ("data.reward_fn_key", config.data.reward_fn_key),
    ):
        if column not in rows.columns:
            close = nearest(column, rows.columns)
            hint = (
                f"write {option}={one_of(close)}"
                if close
                else f"it has {', '.join(rows.columns)}; write {option}=COLUMN with one of these"
            )
            yield f"{key}={name} has no column {column}: {hint}."
    for row in rows.first:
        truth = row.get("reward_model")
        if not isinstance(truth, dict) or truth.get("ground_truth") in (None, "", []):
            yield (
                f"{key}={name} has a row without reward_model.ground_truth, which the reward compares with: "
                "write each problem's answer there, or leave the problem out."
            )
            break
    if config.reward.custom_reward_function.path == _OUR_REWARD:
        yield from _templates(key, name, rows)
    if config.data.prompt_key in rows.columns:
        for row in rows.first:
            if not _is_chat(row.get(config.data.prompt_key)):
                yield (
                    f"{key}={name} has a {config.data.prompt_key} that is not a list of messages with role and "
                    "content: "
                    'write it as [{"role": "user", "content": PROBLEM}].'
                )
                break


def _templates(key: str, name: str, rows: Rows) -> Iterator[str]:
    for row in rows.first:
        extra_info = row.get("extra_info")
        try:
            template_of(extra_info.get("template") if isinstance(extra_info, dict) else None)
        except ValueError as error:
            yield f"{key}={name} has a row whose {error}: write one of these, or leave it out for a boxed answer."
            return


def _is_chat(prompt: Any) -> bool:
    return (
        isinstance(prompt, list)
        and bool(prompt)
        and all(isinstance(message, dict) and message.get("role") and "content" in message for message in prompt)
    )


def _prompt_lengths(config: DictConfig, key: str, tables: list[Rows]) -> Any:
    """Yield a sentence where prompts are too long; return how many are."""
    if not tables:
        return 0
    limit = config.data.max_prompt_length
    try:
        count, longest = longer_prompts(config, tables)
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        yield (
            f"{key} cannot be turned into tokens by the tokenizer of actor_rollout_ref.model.path ({reason(error)}): "
            "write another model."
        )
        return 0
    if count and not config.data.filter_overlong_prompts:
        # verl's agent loop would cut them from the left without a word.
        yield (
            f"{key} has {count} prompts longer than data.max_prompt_length={limit}, the longest of {longest} tokens: "
            f"write data.max_prompt_length={longest}, or data.filter_overlong_prompts=true to leave them out."
        )
    return count


def _amount(config: DictConfig, tables: list[Rows], too_long: int) -> Iterator[str]:
    """Whether the training files fill a batch, and the epochs the steps that were asked for."""
    rows = training_rows(config)
    if rows is None or (not tables and not is_embedded(config.data.train_files)):
        return
    if config.data.filter_overlong_prompts:
        rows -= too_long
    batch = config.data.gen_batch_size or config.data.train_batch_size
    if rows < batch:
        yield (
            f"data.train_files has {rows} usable problems, fewer than data.train_batch_size={batch}: "
            f"write {max(rows, 1)} or less."
        )
        return
    steps, epochs = config.trainer.total_training_steps, config.trainer.total_epochs
    per_epoch = max(1, rows // config.data.train_batch_size)
    if steps is not None and per_epoch * epochs < steps:
        yield (
            f"trainer.total_training_steps={steps} is more than trainer.total_epochs={epochs} of "
            f"{per_epoch} steps give: "
            f"write trainer.total_epochs={-(-steps // per_epoch)}."
        )
