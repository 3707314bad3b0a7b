"""Entry point of the group `verl.plugins`: verl imports it at the end of `import verl`, in every process.

verl loads (imports) the entry point and does not call it, and it hides a failure at DEBUG level: so the registration
happens at import, and `check_registered` says at start-up whether it took. Only `core_algos` and the platform may be
imported here: the trainer and the reward manager would import verl in a circle, and register where they are used.
"""

from gmpo_verl.cpu import vllm_distribution

vllm_distribution.install()  # before anything of verl looks for vLLM

NAME = "gmpo"


def register() -> None:
    """Make verl know the CPU platform, the `gmpo` policy loss and the `gmpo` advantage estimator."""
    import gmpo_verl.cpu.platform  # noqa: F401, I001  registers itself; before core_algos, which asks for the platform
    from verl.trainer.ppo.core_algos import register_adv_est, register_policy_loss

    from gmpo_verl.algorithms.advantage import gmpo_advantage
    from gmpo_verl.algorithms.policy_loss import gmpo_policy_loss

    register_policy_loss(NAME)(gmpo_policy_loss)
    register_adv_est(NAME)(gmpo_advantage)


def check_registered() -> None:
    """Raise RuntimeError, saying what to do, when `import verl` did not bring our names with it."""
    import verl  # noqa: F401
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY

    missing = [
        what
        for what, registry in (("policy loss", POLICY_LOSS_REGISTRY), ("advantage estimator", ADV_ESTIMATOR_REGISTRY))
        if NAME not in registry
    ]
    if missing:
        raise RuntimeError(
            f"verl does not know the {' and the '.join(missing)} `{NAME}`: reinstall the package "
            "(pip install -e .) so that its `verl.plugins` entry point exists, and unset VERL_USE_EXTERNAL_PLUGINS"
        )


register()
