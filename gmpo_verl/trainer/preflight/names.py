"""Names that verl looks up late: in registries, in lists of its own, as Python modules and classes."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.config.nearest import suggestion

_TRAINER_MODES = ("sync", "colocate_async", "separate_async", "gmpo")
_REWARD_MANAGERS = ("naive", "dapo", "gdpo", "rate_limited", "remote")
LOSS_AGG_MODES = ("token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm")
_KL_PENALTIES = ("kl", "k1", "abs", "mse", "k2", "low_var_kl", "k3")
_KL_LOSS_TYPES = (*_KL_PENALTIES, *(f"{name}+" for name in _KL_PENALTIES))
_STRATEGIES = {
    "dp": ("fsdp", "fsdp2"),
    "megatron": ("megatron",),
    "veomni": ("veomni",),
    "torchtitan": ("torchtitan",),
}
_ROLLOUTS = {"vllm": "vllm", "sglang": "sglang", "trtllm": "tensorrt_llm"}
_LOGGER_PACKAGES = {
    "wandb": "wandb",
    "mlflow": "mlflow",
    "swanlab": "swanlab",
    "vemlp_wandb": "volcengine_ml_platform",
    "tensorboard": "tensorboard",
    "clearml": "clearml",
    "trackio": "trackio",
}
_FIXED: dict[str, tuple[str, ...]] = {
    "trainer.v1.trainer_mode": _TRAINER_MODES,
    "trainer.v1.sampler.max_off_policy_strategy": ("drop", "wait"),
    "trainer.resume_mode": ("auto", "disable", "resume_path"),
    "trainer.device": ("cpu", "cuda", "npu"),
    "actor_rollout_ref.actor.loss_agg_mode": LOSS_AGG_MODES,
    "actor_rollout_ref.actor.kl_loss_type": _KL_LOSS_TYPES,
    "actor_rollout_ref.rollout.mode": ("async",),
    "algorithm.kl_penalty": _KL_PENALTIES,
    "algorithm.kl_ctrl.type": ("fixed", "adaptive"),
    "data.truncation": ("error", "left", "right", "middle"),
    "reward.reward_manager.source": ("register", "importlib"),
}


def check(config: DictConfig) -> Iterator[str]:
    for key, known in _FIXED.items():
        yield from unknown(key, OmegaConf.select(config, key), known)
    yield from _registered(config)
    engine = config.get("model_engine", "dp")
    for role in ("actor", "ref"):
        key = f"actor_rollout_ref.{role}.strategy"
        yield from unknown(key, OmegaConf.select(config, key), _STRATEGIES.get(engine, _STRATEGIES["dp"]))
    yield from _rollout(config)
    yield from _loggers(config)
    yield from _code(config)


def unknown(key: str, value: object, known: Iterable[str]) -> Iterator[str]:
    """A sentence where `value` is not among the `known` names."""
    known = list(known)
    if value not in known:
        shown = "null" if value is None else value
        yield f"{key}={shown} does not exist: {suggestion(str(shown), known)}"


def _registered(config: DictConfig) -> Iterator[str]:
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY

    loss_mode = config.actor_rollout_ref.actor.policy_loss.loss_mode
    yield from unknown("actor_rollout_ref.actor.policy_loss.loss_mode", loss_mode, POLICY_LOSS_REGISTRY)
    # verl keeps its own estimators under the members of an enumeration of strings.
    estimators = [getattr(name, "value", name) for name in ADV_ESTIMATOR_REGISTRY]
    yield from unknown("algorithm.adv_estimator", config.algorithm.adv_estimator, estimators)
    manager = config.reward.reward_manager
    if manager.source == "register":
        yield from unknown("reward.reward_manager.name", manager.name, _REWARD_MANAGERS)


def _rollout(config: DictConfig) -> Iterator[str]:
    key = "actor_rollout_ref.rollout.name"
    if OmegaConf.is_missing(config.actor_rollout_ref.rollout, "name"):
        yield f"{key} is not set: write {key}=vllm."
        return
    name = config.actor_rollout_ref.rollout.name
    if name not in _ROLLOUTS:
        yield from unknown(key, name, _ROLLOUTS)
    elif importlib.util.find_spec(_ROLLOUTS[name]) is None:
        yield (
            f"{key}={name} needs the package {_ROLLOUTS[name]}, which is not installed: "
            f"install it, or write {key}=vllm."
        )


def _loggers(config: DictConfig) -> Iterator[str]:
    from verl.utils.tracking import Tracking

    given = config.trainer.logger
    for name in [given] if isinstance(given, str) else given or []:
        if name not in Tracking.supported_backend:
            yield f"trainer.logger={name} does not exist: {suggestion(str(name), Tracking.supported_backend)}"
        elif name in _LOGGER_PACKAGES and importlib.util.find_spec(_LOGGER_PACKAGES[name]) is None:
            yield (
                f"trainer.logger={name} needs the package {_LOGGER_PACKAGES[name]}, which is not installed: "
                f"install it, or write trainer.logger=[console]."
            )


def _code(config: DictConfig) -> Iterator[str]:
    """Python that verl imports in its workers: modules and the names in them."""
    manager = config.reward.reward_manager
    if manager.source == "importlib":
        yield from _attribute("reward.reward_manager.module.path", manager.module.path, manager.name)
        if not manager.module.path:
            yield "reward.reward_manager.module.path is not set: write pkg://PACKAGE.MODULE or a file."
    for key in ("reward.custom_reward_function", "trainer.v1.sampler.custom_sampler", "data.custom_cls"):
        node = OmegaConf.select(config, key)
        if node is not None:
            yield from _attribute(f"{key}.path", node.path, node.name)
    for key in (
        "actor_rollout_ref.model.external_lib",
        "actor_rollout_ref.rollout.checkpoint_engine.custom_backend_module",
    ):
        library = OmegaConf.select(config, key)
        for module in [library] if isinstance(library, str) else library or []:
            if _module_file(f"pkg://{module}") is None:
                yield f"{key}={module} is not a module that can be imported: write another."


def _attribute(key: str, path: str | None, name: str | None) -> Iterator[str]:
    """A sentence where the module at `path` (`pkg://a.b` or a file) is missing or does not define `name`."""
    if not path:
        return
    file = _module_file(path)
    if file is None:
        yield f"{key}={path} is not a module that can be imported: write pkg://PACKAGE.MODULE or an existing file."
        return
    defined = _names_in(file)
    if defined is not None and name not in defined:
        yield f"{key}={path} does not define {name}: {suggestion(str(name), defined or ['another module'])}"


def _module_file(path: str) -> Path | None:
    if not path.startswith("pkg://"):
        file = Path(path.removeprefix("file://")).expanduser()
        return file if file.is_file() else None
    try:
        spec = importlib.util.find_spec(path.removeprefix("pkg://"))
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _names_in(file: Path) -> list[str] | None:
    """Public names that a module's source binds at its top; None where that cannot be told without running it."""
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return None
    found: list[str] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                return None
            found += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.If | ast.Try | ast.With):
            return None
    return [name for name in found if not name.startswith("_")]
