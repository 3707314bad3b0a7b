"""Values `embedded://arithmetic...` of a configuration, replaced by the files that they stand for."""

from typing import Any

from omegaconf import OmegaConf

from gmpo_verl.errors import UserError

SCHEME = "embedded://"
OPTIONS = ("actor_rollout_ref.model.path", "data.train_files", "data.val_files")
NAMES = {"arithmetic": "model", "arithmetic/train": "train", "arithmetic/validation": "validation"}


def is_embedded(value: Any) -> bool:
    """Whether a configuration value names a part of the embedded task."""
    return isinstance(value, str) and value.startswith(SCHEME)


def resolve_embedded(config: Any) -> None:
    """Make or find the embedded task's model and files and write their paths into `config`.

    Raises:
        UserError: an unknown name, or an option of the task out of range.
    """
    wanted = {option: value for option in OPTIONS if is_embedded(value := OmegaConf.select(config, option))}
    for option, value in wanted.items():
        if value.removeprefix(SCHEME) not in NAMES:
            raise UserError(
                f"{option}={value} is not embedded: write one of {', '.join(SCHEME + name for name in NAMES)}."
            )
    if not wanted:
        return
    from gmpo_verl.data.arithmetic import ArithmeticTask, prepare

    settings = OmegaConf.to_container(config.arithmetic, resolve=True)
    assert isinstance(settings, dict)
    files = prepare(ArithmeticTask(**{str(name): value for name, value in settings.items()}))
    for option, value in wanted.items():
        OmegaConf.update(config, option, str(getattr(files, NAMES[value.removeprefix(SCHEME)])))
