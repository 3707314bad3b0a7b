"""verl's reward manager ``gmpo``: a response that was cut off at its limit gets a fixed score."""

from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager import register
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

from gmpo_verl.rewards.answer import extract_answer, template_of
from gmpo_verl.rewards.thinking_form import has_thinking_form

MAX_EXCERPT_CHARS = 80


@register("gmpo")
class GMPORewardManager(NaiveRewardManager):
    """Grades one response; the score of a truncated one is ``reward.reward_kwargs.truncated_score`` (0 by default).

    With ``reward.reward_kwargs.thinking_weight`` above 0 that share of the score is for the form of EasyR1's prompt
    (``thinking_form``), as in its set-up of Geometry3K, and the rest for the answer.
    Truncated: as long as ``data.max_response_length`` allows, and no special token (end of text, end of turn) ends it.
    ``acc`` keeps the verdict on the answer itself, so validation accuracy does not depend on the training rule.

    Adds to the row's extra values ``truncated`` (0 or 1), ``data_source`` and ``grading_failure`` (text: an answer that
    could not be graded and its ground truth, empty for all others); every row has the same keys, as verl stacks them.
    verl averages the numbers among them and leaves text alone.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **kwargs: Any) -> None:
        super().__init__(config, tokenizer, compute_score, **kwargs)
        options = config.reward.get("reward_kwargs") or {}
        self.truncated_score = float(options.get("truncated_score", 0.0))
        self.thinking_weight = float(options.get("thinking_weight", 0.0))
        self._decode = tokenizer.decode
        self.max_response_length = int(config.data.max_response_length)
        # Which of its special tokens a model stops at stands in its generation config, not in its tokenizer; ending
        # with any of them exactly at the limit is an end.
        self.end_tokens = frozenset(tokenizer.all_special_ids) | {tokenizer.eos_token_id}

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        row = await super().run_single(data)
        item = data[len(data) - 1]  # of several sequences verl grades the last
        truncated = self._is_truncated(item)
        extra = row["reward_extra_info"]
        extra["truncated"] = float(truncated)
        extra["data_source"] = str(item.non_tensor_batch["data_source"])
        extra["grading_failure"] = self._failure(item) if extra.get("timed_out") or extra.get("error") else ""
        if self.thinking_weight:
            form = has_thinking_form(self._text(item))
            row["reward_score"] = extra["score"] = (1 - self.thinking_weight) * extra[
                "score"
            ] + self.thinking_weight * form
        if truncated:
            row["reward_score"] = extra["score"] = self.truncated_score
        return row

    def _is_truncated(self, item: Any) -> bool:
        response_ids = _response_ids(item)
        return len(response_ids) >= self.max_response_length and int(response_ids[-1]) not in self.end_tokens

    def _text(self, item: Any) -> str:
        return str(self._decode(_response_ids(item), skip_special_tokens=True))

    def _failure(self, item: Any) -> str:
        columns = item.non_tensor_batch
        answer = extract_answer(self._text(item), template_of((columns.get("extra_info") or {}).get("template")))
        return f"{_excerpt(answer)} against {_excerpt(columns['reward_model']['ground_truth'])}"


def _response_ids(item: Any) -> Any:
    """The response without its padding, shape [T]."""
    padded = item.batch["responses"]
    mask = item.batch["attention_mask"][item.batch["attention_mask"].shape[-1] - padded.shape[-1] :]
    return padded[: int(mask.sum())]


def _excerpt(value: Any) -> str:
    """One line that a terminal and a UTF-8 file can take, whatever a model wrote."""
    text = " ".join(str(value)[: 2 * MAX_EXCERPT_CHARS].split())
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return text if len(text) <= MAX_EXCERPT_CHARS else text[: MAX_EXCERPT_CHARS - 1] + "\N{HORIZONTAL ELLIPSIS}"
