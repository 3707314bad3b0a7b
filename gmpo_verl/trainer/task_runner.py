"""verl's task runner, in an importable module.

A Ray class defined in the module that runs as `__main__` is pickled by value and sees empty registries.
"""

from typing import Any

import ray
from verl.trainer.main_ppo import TaskRunnerV1

from gmpo_verl import rollout
from gmpo_verl.plugin import check_registered

# The class inside Ray's wrapper; the wrapper itself refuses to be subclassed.
_TaskRunner: Any = vars(TaskRunnerV1)["__ray_metadata__"].modified_class


class GMPOTaskRunner(_TaskRunner):
    """Registers what may not be imported while verl itself is being imported, then runs verl's loop."""

    def run(self, config: Any) -> None:
        import gmpo_verl.trainer.gmpo_trainer  # noqa: F401  registers the trainer

        check_registered()
        rollout.register()
        super().run(config)


RemoteTaskRunner = ray.remote(num_cpus=1)(GMPOTaskRunner)
