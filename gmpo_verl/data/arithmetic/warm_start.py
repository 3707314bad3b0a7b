"""Supervised learning before the reinforcement learning: a model that knows more than it says.

Of additions correct demonstrations first, which teach them quickly; then demonstrations of which a share carries a
slip, which teach the model to err. Its greedy answers stay mostly right, its sampled ones become mostly wrong: the gap
that reinforcement learning closes. CountDown leaves a gap by itself: a target can be missed in many ways.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from gmpo_verl.data.arithmetic.settings import BOX_OPEN, LONGEST_CONTEXT
from gmpo_verl.data.embedded_task import EmbeddedTask

# One on every machine: the order of floating-point sums, and so the model, depends on their number. Batches are small:
# two threads were three times slower beside other busy processes.
THREADS = 1
IGNORED_LABEL = -100
SYMBOLS = "0123456789+-*/=(),:}\n"  # of all prompts and demonstrations
WARMUP_STEPS = 50
FINAL_LEARNING_RATE_SHARE = 0.05


def make_model(tokenizer: PreTrainedTokenizerBase, experts: int = 1) -> PreTrainedModel:
    """A model in float32, randomly initialised from torch's global generator.

    A Qwen2 of 0.46 M parameters; with more than one expert a Qwen3 mixture of which one expert is active a token.
    """
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 384,
        "initializer_range": 0.08,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": LONGEST_CONTEXT,
        "tie_word_embeddings": False,
        "use_sliding_window": False,
        "bos_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if experts == 1:
        return Qwen2ForCausalLM(Qwen2Config(**shape)).float()
    mixture: dict[str, Any] = {
        "num_experts": experts,
        "num_experts_per_tok": 1,
        "moe_intermediate_size": 128,
        "head_dim": 32,
    }
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(**shape, **mixture)).float()


def warm_start(settings: EmbeddedTask, problems: Sequence[Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Trains a new model on demonstrations of ``problems``; the same settings give the same model."""
    steps = settings.warm_start_steps
    rng = random.Random(settings.seed + 1)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = make_model(tokenizer, settings.experts)
            optimizer = torch.optim.AdamW(
                model.parameters(), lr=settings.learning_rate, betas=(0.8, 0.95), weight_decay=0.01
            )
            for step in tqdm(range(steps), desc="warm start", unit="step", mininterval=1.0):
                texts = settings.demonstrations(problems, step, rng)
                input_ids, labels = encode(texts, settings, tokenizer)
                for group in optimizer.param_groups:
                    group["lr"] = settings.learning_rate * _learning_rate_share(step, steps)
                logits = model(input_ids=input_ids, use_cache=False).logits
                loss = F.cross_entropy(
                    logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED_LABEL
                )
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
    finally:
        torch.set_num_threads(threads_before)
    return model.eval()


def encode(
    texts: Sequence[str], settings: EmbeddedTask, tokenizer: PreTrainedTokenizerBase
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both [batch, longest], right-padded; only the demonstration carries labels.

    Every token of these tasks is one character, the box excepted, so that a table looks up a whole batch at once;
    the tokenizer's own call took 5 times the CPU time and, on a busy machine, 20 times the time.
    """
    box, end, pad = "\1\2\3"
    width = settings.prompt_tokens + settings.response_tokens
    table = np.full(128, -1, dtype=np.int64)
    for symbol in SYMBOLS:
        (table[ord(symbol)],) = tokenizer.encode(symbol, add_special_tokens=False)
    table[ord(box)] = tokenizer.convert_tokens_to_ids(BOX_OPEN)
    table[ord(end)], table[ord(pad)] = tokenizer.eos_token_id, tokenizer.pad_token_id
    symbols = "".join((text.replace(BOX_OPEN, box) + end).ljust(width, pad) for text in texts)
    codes = np.frombuffer(symbols.encode("ascii"), dtype=np.uint8).reshape(len(texts), width)
    prompt_lengths = np.array([settings.prompt_length(text) for text in texts])
    unlabelled = (codes == ord(pad)) | (np.arange(width) < prompt_lengths[:, None])
    input_ids = torch.from_numpy(table[codes])
    return input_ids, input_ids.masked_fill(torch.from_numpy(unlabelled), IGNORED_LABEL)


def _learning_rate_share(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a small share of the peak."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / WARMUP_STEPS) * (FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine)
