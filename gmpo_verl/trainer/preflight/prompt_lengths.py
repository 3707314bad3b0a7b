"""Which prompts are longer than the limit, counted with the model's own tokenizer."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gmpo_verl.config.plain import plain
from gmpo_verl.data.embedded import is_embedded
from gmpo_verl.trainer.preflight.model import local_file
from gmpo_verl.trainer.preflight.rows import Rows


def longer_prompts(config: DictConfig, tables: list[Rows]) -> tuple[int, int]:
    """How many prompts exceed `data.max_prompt_length`, and the tokens of the longest of them: (0, 0) for none.

    Also (0, 0) where the tokenizer is not on this machine.

    Raises:
        ValueError, TypeError, OSError: the tokenizer cannot be loaded, or has no chat template.
    """
    tokenizer = _tokenizer(config)
    if tokenizer is None:
        return 0, 0
    limit = config.data.max_prompt_length
    options = plain(config.data.apply_chat_template_kwargs)

    def tokens(messages: list[dict[str, Any]]) -> int:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **options)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    count = longest = 0
    frame = None
    for table in tables:
        for messages in table.column(config.data.prompt_key):
            contents = [message.get("content") for message in messages or ()]
            if not all(isinstance(content, str) for content in contents):
                continue
            if frame is None:
                # What the template adds around contents; a tokenizer falls back to bytes at worst, so a text
                # has no more tokens than bytes and most prompts need not be turned into tokens at all.
                frame = tokens([{**message, "content": ""} for message in messages])
            if frame * 2 + sum(len(content.encode()) for content in contents) <= limit:
                continue
            length = tokens(messages)
            if length > limit:
                count, longest = count + 1, max(longest, length)
    return count, longest


def _tokenizer(config: DictConfig) -> Any:
    """The model's tokenizer, None where it is not on this machine."""
    model = config.actor_rollout_ref.model
    if model.get("custom_chat_template"):
        return None
    path = model.tokenizer_path or model.path
    if is_embedded(path):
        from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer

        return make_tokenizer()
    found = local_file(path, "tokenizer_config.json") or local_file(path, "tokenizer.json")
    return _load(found.parent, bool(model.trust_remote_code)) if found else None


@lru_cache(maxsize=4)
def _load(folder: Path, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    except json.JSONDecodeError as error:
        raise ValueError(f"a file of the tokenizer is no JSON: {error}") from error
