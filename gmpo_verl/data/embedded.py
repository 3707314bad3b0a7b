"""Values `embedded://arithmetic...` of a configuration, replaced by the files that they stand for."""

from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from gmpo_verl.data.arithmetic.settings import ArithmeticTask
from gmpo_verl.data.countdown.settings import CountdownTask
from gmpo_verl.errors import UserError

if TYPE_CHECKING:
    from gmpo_verl.data.embedded_task import EmbeddedTask

SCHEME = "embedded://"
OPTIONS = ("actor_rollout_ref.model.path", "data.train_files", "data.val_files")
# The one place that lists the embedded tasks; their settings stand in the configuration's node of the same name.
TASKS: dict[str, "type[ArithmeticTask] | type[CountdownTask]"] = {
    task.name: task for task in (ArithmeticTask, CountdownTask)
}
NAMES = {
    f"{task}{path}": part
    for task in TASKS
    for path, part in (("", "model"), ("/train", "train"), ("/validation", "validation"))
}


def is_embedded(value: Any) -> bool:
    """Whether a configuration value names a part of an embedded task."""
    return isinstance(value, str) and value.startswith(SCHEME)


def task_name(value: str) -> str:
    """The task that an embedded value names: `countdown` for `embedded://countdown/train`."""
    return value.removeprefix(SCHEME).partition("/")[0]


def resolve_embedded(config: Any) -> None:
    """Make or find the embedded tasks' models and files and write their paths into `config`.

    Raises:
        UserError: an unknown name, or an option of a task out of range.
    """
    wanted = {option: value for option in OPTIONS if is_embedded(value := OmegaConf.select(config, option))}
    for option, value in wanted.items():
        if value.removeprefix(SCHEME) not in NAMES:
            raise UserError(
                f"{option}={value} is not embedded: write one of {', '.join(SCHEME + name for name in NAMES)}."
            )
    for name in {task_name(value) for value in wanted.values()}:
        _resolve(config, _task(config, name), {key: value for key, value in wanted.items() if task_name(value) == name})


def _task(config: Any, name: str) -> "EmbeddedTask":
    node = config.get(name)
    settings = OmegaConf.to_container(node, resolve=True) if node is not None else {}
    assert isinstance(settings, dict)
    return TASKS[name](**{str(option): value for option, value in settings.items()})


def _resolve(config: Any, task: "EmbeddedTask", wanted: dict[str, str]) -> None:
    from gmpo_verl.data.arithmetic import prepare

    files = prepare(task)
    for option, value in wanted.items():
        OmegaConf.update(config, option, str(getattr(files, NAMES[value.removeprefix(SCHEME)])))
