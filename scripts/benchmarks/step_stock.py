"""verl 0.9.1 as its users get it, on CPU: `python step_stock.py OVERRIDE ...`, watched over as the project's command.

verl's synchronous trainer, agent loop, replay buffer, vLLM server and naive reward manager, its `geo_mean` loss and
`grpo` estimator. The project's are what verl needs to run without a GPU (`gmpo_verl.cpu`, the weight transfer's
socket), the environment of its processes, and the end of a run.
"""

import sys
from collections.abc import Sequence

from gmpo_verl.config.compose import compose
from gmpo_verl.supervisor.supervise import supervise
from gmpo_verl.trainer.ray_cluster import before_ray_is_imported

DRIVER = "--driver"

OVERRIDES = (
    "trainer.v1.trainer_mode=sync",
    "trainer.fork_workers=false",
    "trainer.v1.sampler.custom_sampler.path=null",
    "trainer.v1.sampler.custom_sampler.name=null",
    "trainer.rollout_data_dir=null",
    "trainer.validation_data_dir=null",
    "trainer.logger=[file]",
    "actor_rollout_ref.rollout.agent.agent_loop_manager_class=null",
    "actor_rollout_ref.rollout.calculate_log_probs=false",
    "algorithm.adv_estimator=grpo",
    "actor_rollout_ref.actor.policy_loss.loss_mode=geo_mean",
    "reward.reward_manager.source=register",
    "reward.reward_manager.name=naive",
)


def drive(arguments: Sequence[str]) -> int:
    before_ray_is_imported(compose(arguments))  # so before the next line
    from verl.trainer.main_ppo import TaskRunnerV1

    from gmpo_verl.trainer import driver, task_runner

    task_runner.RemoteTaskRunner = TaskRunnerV1
    return driver.main(arguments)


if __name__ == "__main__":
    if sys.argv[1:2] == [DRIVER]:
        sys.exit(drive(sys.argv[2:]))
    sys.exit(supervise(sys.argv[1:], (sys.executable, __file__, DRIVER)))
