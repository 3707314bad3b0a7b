"""verl's reward manager ``gmpo``: a response that was cut off at its limit gets a fixed score."""

from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager import register
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager


@register("gmpo")
class GMPORewardManager(NaiveRewardManager):
    """Grades one response; the score of a truncated one is ``reward.reward_kwargs.truncated_score`` (0 by default).

    Truncated: as long as ``data.max_response_length`` allows, and no special token (end of text, end of turn) ends it.
    ``acc`` keeps the verdict on the answer itself, so validation accuracy does not depend on the training rule.
    Adds ``truncated`` (0 or 1) to the row's extra values; every row has the same keys, as verl stacks them.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **kwargs: Any) -> None:
        super().__init__(config, tokenizer, compute_score, **kwargs)
        self.truncated_score = float((config.reward.get("reward_kwargs") or {}).get("truncated_score", 0.0))
        self.max_response_length = int(config.data.max_response_length)
        # Which of its special tokens a model stops at stands in its generation config, not in its tokenizer; ending
        # with any of them exactly at the limit is an end.
        self.end_tokens = frozenset(tokenizer.all_special_ids) | {tokenizer.eos_token_id}

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        row = await super().run_single(data)
        truncated = self._is_truncated(data)
        row["reward_extra_info"]["truncated"] = float(truncated)
        if truncated:
            row["reward_score"] = row["reward_extra_info"]["score"] = self.truncated_score
        return row

    def _is_truncated(self, data: DataProto) -> bool:
        item = data[-1:][0]
        response_ids = item.batch["responses"]
        if response_ids.shape[-1] == 0:
            return False
        length = int(item.batch["attention_mask"][-response_ids.shape[-1] :].sum())
        return length >= self.max_response_length and int(response_ids[length - 1]) not in self.end_tokens
