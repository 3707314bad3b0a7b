"""Nothing secret in the configuration, which is printed, stored in the run directory and sent to loggers."""

import re
from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

_VARIABLES = "ray_kwargs.ray_init.runtime_env.env_vars"
_SECRET = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)


def check(config: DictConfig) -> Iterator[str]:
    for name in OmegaConf.select(config, _VARIABLES) or {}:
        if _SECRET.search(str(name)):
            yield (
                f"{_VARIABLES}.{name} would be written into logs and the run directory: leave it out and set {name} in "
                "the environment in which Ray is started (of a local run: this command's)."
            )
