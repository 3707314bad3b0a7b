"""What this package adds to each of verl's loops: guards, exact loss metrics, pruning, and its checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import transfer_queue
from tensordict import TensorDict
from verl.trainer.distillation import is_distillation_enabled
from verl.trainer.ppo.core_algos import agg_loss
from verl.utils.config import omega_conf_to_dataclass

from gmpo_verl.algorithms.annealing import annealed
from gmpo_verl.algorithms.loss_metrics import kl_to_reference
from gmpo_verl.patches import nested_rows, trainer_queue
from gmpo_verl.trainer.actor_loss import ROUND, ROW, actor_loss
from gmpo_verl.trainer.actor_watch import ActorWatch
from gmpo_verl.trainer.checkpointed_steps import CheckpointedSteps
from gmpo_verl.trainer.guards import NonFiniteGuard, check_rollout_weights
from gmpo_verl.trainer.planned_rounds import note_planned_rounds
from gmpo_verl.trainer.pruner import Pruner, make_pruner
from gmpo_verl.trainer.replay_buffer import WatchfulBuffer
from gmpo_verl.trainer.reward_health import check_grading
from gmpo_verl.trainer.reward_metrics import ACCURACY, reward_fractions, validation_means
from gmpo_verl.trainer.round_fields import Pass, RoundFields
from gmpo_verl.trainer.round_report import RoundReport
from gmpo_verl.trainer.stoppable_steps import StoppableSteps
from gmpo_verl.trainer.tensor_fields import TensorFields
from gmpo_verl.trainer.update_statistics import UpdateStatistics, columns

_MEAN_ENTROPY = "seq-mean-token-mean"  # actor/entropy: nats a token, the mean over responses


class GMPOSteps(StoppableSteps, CheckpointedSteps):
    """Stops a run when its rollouts or its gradients cannot be trusted, and says what its updates did.

    To stand before one of verl's trainers among a class's bases; verl's trainer says when rollouts are generated and
    when weights go to the rollout engine.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.use_reference_policy = self.use_reference_policy or config.trainer.kl_to_ref
        self._non_finite = NonFiniteGuard()
        self._updates = UpdateStatistics()
        self._round = RoundReport()
        self._grades: dict[str, dict[str, Any]] = {}  # of the round's responses by key
        self._ranks = 0  # of the actor, known when the workers are up
        self._pruner: Pruner | None = None
        self._whole_batch: Any = None
        self._queue: Any = transfer_queue
        self._round_fields: RoundFields | None = None

    def _init_resource_pool_mgr(self) -> None:
        # verl plans a reference model only for a KL term; the option is put back before a worker reads it.
        actor = self.config.actor_rollout_ref.actor
        has_kl_loss = actor.use_kl_loss
        actor.use_kl_loss = has_kl_loss or self.config.trainer.kl_to_ref
        super()._init_resource_pool_mgr()
        actor.use_kl_loss = has_kl_loss

    def fit(self, agent_loop_manager: Any) -> None:
        if isinstance(self.replay_buffer, WatchfulBuffer):
            replicas = self.llm_server_manager.get_replicas()
            self.replay_buffer.watch = ActorWatch({
                "training worker": self.actor_rollout_wg.workers,
                "rollout server": [server for replica in replicas for server in replica.servers],
                "agent-loop worker": agent_loop_manager.agent_loop_workers,
                "reward worker": self.reward_loop_manager.reward_loop_worker_handles or (),
            })  # fmt: skip
        super().fit(agent_loop_manager)

    def on_init_end(self) -> None:
        super().on_init_end()
        note_planned_rounds(self.config.run_dir, self.total_training_steps)
        self._ranks = max(self.actor_rollout_wg._query_dispatch_info("actor")) + 1
        if is_distillation_enabled(self.config.get("distillation")):
            return  # its loss is another function of verl's, which stays
        self._send_loss()
        workers = self.actor_rollout_wg
        given = self._pass_inputs()
        workers.compute_log_prob = given(workers.compute_log_prob)
        workers.update_actor = self._updates.kept_from(given(workers.update_actor))
        if self.use_reference_policy and not self.ref_in_actor:
            self.ref_policy_wg.compute_ref_log_prob = given(self.ref_policy_wg.compute_ref_log_prob)
        self._pruner = make_pruner(self.config, self._ranks, self._warn, self._queue)
        if self._pruner:
            workers.update_actor = self._pruner.resized(workers.update_actor)

    def _pass_inputs(self) -> Callable[[Pass], Pass]:
        """How a pass over the model gets its tensors: from here, or where these are large, each worker its own."""
        rollout = self.config.actor_rollout_ref.rollout
        if self.processor or self.use_critic or rollout.enable_rollout_routing_replay:
            return TensorFields(also=frozenset({"multi_modal_inputs"} if self.processor else ())).only
        self._queue = self._round_fields = RoundFields()
        trainer_queue.install(self._queue)
        nested_rows.install_in_trainer()
        return self._round_fields.given

    def _send_loss(self) -> None:
        actor = omega_conf_to_dataclass(self.config.actor_rollout_ref.actor)
        self.actor_rollout_wg.set_loss_fn(partial(actor_loss, config=actor))

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        self._round = RoundReport()
        batch = super().step(metrics, timing_raw)
        metrics |= self._round.metrics()
        loss = self.config.actor_rollout_ref.actor.policy_loss
        if loss.get("mean_exponent_end") is not None:
            metrics["gmpo/mean_exponent"] = annealed(
                loss.mean_exponent, loss.mean_exponent_end, loss.mean_exponent_rounds, self.global_steps
            )
        self._non_finite.check(metrics, self.global_steps, self._warn)
        return batch

    def _balance_batch(self, batch: Any, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        # verl would look for the best order of one part too, 40 ms of 256 responses.
        if self._ranks > 1 or len(batch) % self._get_required_batch_multiple(1) != 0:
            batch = super()._balance_batch(batch, metrics, *args, **kwargs)
        if self._round_fields:
            self._round_fields.fetch(batch)
        return batch

    def _compute_old_log_prob(self, batch: Any, metrics: dict[str, Any]) -> Any:
        self._whole_batch = batch
        if self._pruner:
            batch = self._pruner.prune(batch)
        batch = super()._compute_old_log_prob(batch, metrics)
        if "actor/entropy" in metrics and self.config.actor_rollout_ref.actor.loss_agg_mode != _MEAN_ENTROPY:
            # verl aggregates the entropy as the loss, and Dr.GRPO's sum would make it another quantity.
            data = self._fields(batch, "entropy", "response_mask").to_padded_tensor()
            metrics["actor/entropy"] = agg_loss(data["entropy"], data["response_mask"], _MEAN_ENTROPY).item()
        return batch

    def _compute_ref_log_prob(self, batch: Any, metrics: dict[str, Any]) -> Any:
        batch = super()._compute_ref_log_prob(batch, metrics)
        if self.config.trainer.kl_to_ref:
            data = self._fields(batch, "old_log_probs", "ref_log_prob", "response_mask").to_padded_tensor()
            mask = data["response_mask"].bool()
            kl = kl_to_reference(data["old_log_probs"], data["ref_log_prob"], mask)
            self._round.add_mean("gmpo/kl_to_ref", kl, max(int(mask.sum()), 1))
        return batch

    def _update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        rows = TensorDict({ROW: torch.arange(len(batch))}, batch_size=len(batch))
        batch = self._queue.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=rows)
        batch.extra_info[ROUND] = self.global_steps
        super()._update_actor(batch, metrics)
        self._round.add_update(self._updates)
        if self._pruner:
            for name, value in self._pruner.metrics.items():
                self._round.add_mean(name, value, len(self._whole_batch))
        return self._whole_batch

    def _dump_generations(
        self,
        inputs: list[str],
        outputs: list[str],
        gts: list[Any],
        scores: list[float],
        reward_extra_infos_dict: dict[str, list[Any]],
        dump_path: str,
    ) -> None:
        """A training response's row also has its grades, and what its last update did to it (`response_statistics`)."""
        if dump_path == self.config.trainer.rollout_data_dir:
            updates = self._round.by_response
            without = {"advantage": 0.0}  # what is pruned has no update
            rows = [self._grades.get(key, {}) | updates.get(key, without) for key in reward_extra_infos_dict["uid"]]
            reward_extra_infos_dict |= columns(rows)
        super()._dump_generations(inputs, outputs, gts, scores, reward_extra_infos_dict, dump_path)

    def _compute_metrics(self, batch: Any, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._compute_metrics(batch, metrics, *args, **kwargs)
        graded = self._fields(batch, "extra_fields")
        # A list or a stack of tensordict's wrappers, as the storage likes.
        extra_fields = [getattr(fields, "data", fields) for fields in list(graded["extra_fields"])]
        # For the dump, which comes after the metrics.
        self._grades = {
            key: {name: value for name, value in (own.get("reward_extra_info") or {}).items() if name != "score"}
            for key, own in zip(batch.keys, extra_fields, strict=True)
        }
        metrics |= reward_fractions(extra_fields)
        check_rollout_weights(metrics, self.global_steps, self._warn)
        check_grading(extra_fields, self.global_steps, self._warn)

    def _val_metrics_update(
        self,
        data_sources: Sequence[str],
        sample_uids: Sequence[str],
        reward_extra_infos_dict: Mapping[str, Sequence[Any]],
        *args: Any,
        **kwargs: Any,
    ) -> dict[str, float]:
        """verl draws 1,000 bootstrap samples for every numeric key of every problem, 19 s for 7 keys of 128 problems.

        The accuracy is worth that; of the other keys (0 or 1 each) the plain mean says all.
        """
        accuracy = {key: values for key, values in reward_extra_infos_dict.items() if key == ACCURACY}
        table = accuracy or {"reward": reward_extra_infos_dict["reward"]}
        metrics = super()._val_metrics_update(data_sources, sample_uids, table, *args, **kwargs)
        return metrics | validation_means(data_sources, reward_extra_infos_dict)

    def _fields(self, batch: Any, *names: str) -> TensorDict:
        return self._queue.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=list(names))
