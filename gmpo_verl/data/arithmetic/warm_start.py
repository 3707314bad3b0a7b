"""Supervised learning before the reinforcement learning: a model that knows more than it says.

Correct demonstrations first, which teach addition quickly; then demonstrations of which a share carries a slip, which
teach the model to err. Its greedy answers stay mostly right, its sampled ones become mostly wrong: the gap that
reinforcement learning closes.
"""

import math
import random
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM

from gmpo_verl.data.arithmetic.problems import Problem, demonstration, draw_slip, prompt
from gmpo_verl.data.arithmetic.settings import BOX_OPEN, LONGEST_CONTEXT, ArithmeticTask

# One on every machine: the order of floating-point sums, and so the model, depends on their number. Batches are small:
# two threads were three times slower beside other busy processes.
THREADS = 1
IGNORED_LABEL = -100
WARMUP_STEPS = 50
FINAL_LEARNING_RATE_SHARE = 0.05


def make_model(tokenizer: PreTrainedTokenizerBase) -> Qwen2ForCausalLM:
    """A Qwen2 of 0.46 M parameters in float32, randomly initialised from torch's global generator."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        initializer_range=0.08,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LONGEST_CONTEXT,
        tie_word_embeddings=False,
        use_sliding_window=False,
        bos_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config).float()


def warm_start(
    settings: ArithmeticTask, problems: Sequence[Problem], tokenizer: PreTrainedTokenizerBase
) -> Qwen2ForCausalLM:
    """Trains a new model on demonstrations of ``problems``; the same settings give the same model."""
    steps = settings.clean_steps + settings.slip_steps
    rng = random.Random(settings.seed + 1)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = make_model(tokenizer)
            optimizer = torch.optim.AdamW(
                model.parameters(), lr=settings.learning_rate, betas=(0.8, 0.95), weight_decay=0.01
            )
            for step in tqdm(range(steps), desc="warm start", unit="step", mininterval=1.0):
                slip_share = settings.slip_share if step >= settings.clean_steps else 0.0
                texts = draw_demonstrations(problems, settings, slip_share, rng)
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


def draw_demonstrations(
    problems: Sequence[Problem], settings: ArithmeticTask, slip_share: float, rng: random.Random
) -> list[str]:
    """One batch of prompts followed by their demonstrations, each with a slip with probability ``slip_share``."""
    texts = []
    for problem in rng.choices(problems, k=settings.batch_size):
        slip = draw_slip(problem, settings.slip_range, rng) if rng.random() < slip_share else None
        texts.append(prompt(problem) + demonstration(problem, settings.worked_steps, slip))
    return texts


def encode(
    texts: Sequence[str], settings: ArithmeticTask, tokenizer: PreTrainedTokenizerBase
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both [batch, longest], right-padded; only the demonstration carries labels.

    Every token of this task is one character, the box excepted, so that a table looks up a whole batch at once;
    the tokenizer's own call took 5 times the CPU time and, on a busy machine, 20 times the time.
    """
    box, end, pad = "B", "E", "P"
    width = settings.prompt_tokens + settings.response_tokens
    table = np.full(128, -1, dtype=np.int64)
    for symbol in "0123456789+=}\n":
        (table[ord(symbol)],) = tokenizer.encode(symbol, add_special_tokens=False)
    table[ord(box)] = tokenizer.convert_tokens_to_ids(BOX_OPEN)
    table[ord(end)], table[ord(pad)] = tokenizer.eos_token_id, tokenizer.pad_token_id
    symbols = "".join((text.replace(BOX_OPEN, box) + end).ljust(width, pad) for text in texts)
    codes = np.frombuffer(symbols.encode("ascii"), dtype=np.uint8).reshape(len(texts), width)
    input_ids = torch.from_numpy(table[codes])
    labels = input_ids.masked_fill(torch.from_numpy(codes == ord(pad)), IGNORED_LABEL)
    labels[:, : settings.prompt_tokens] = IGNORED_LABEL
    return input_ids, labels


def _learning_rate_share(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a small share of the peak."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / WARMUP_STEPS) * (FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine)
