"""Rollouts a group at a time: what verl does once a response, done once for all responses of a prompt."""


def register() -> None:
    """Make `rollout.name=vllm` a server that answers groups; to be called in the process that launches the servers."""
    from verl.workers.rollout.replica import RolloutReplicaRegistry

    def load() -> type:
        from gmpo_verl.rollout.server import GroupReplica

        return GroupReplica

    RolloutReplicaRegistry.register("vllm", load)
