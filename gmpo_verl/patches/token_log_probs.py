"""Log-probs of tokens, many at a time.

Without flash-attention's cross entropy verl 0.9.1 takes the log-sum-exp of every token of a packed micro-batch in a
Python loop (`logprobs_from_logits_v2`, utils/torch_functional.py:197), and its backward pass walks the same way: 27 ms
for 840 tokens of a small vocabulary on a CPU where one call takes 0.3. Chunks keep what the loop is for, that no
second copy of all logits is made.
"""

import functools
from typing import Any

import torch

CHUNK = 2**22  # logits


def install() -> None:
    """Once a process, from `gmpo_verl.worker`."""
    from verl.utils import torch_functional

    if not getattr(torch_functional.logprobs_from_logits_v2, "chunked", False):
        torch_functional.logprobs_from_logits_v2 = _chunked(torch_functional.logprobs_from_logits_v2)


def _chunked(verls: Any) -> Any:
    @functools.wraps(verls)
    def log_probs(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if logits.dtype not in (torch.float32, torch.float64):
            return verls(logits, labels)  # which takes another way there
        chosen = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        rows = max(1, CHUNK * len(logits) // max(logits.numel(), 1))
        return chosen - torch.cat([torch.logsumexp(chunk, dim=-1) for chunk in logits.split(rows)])

    vars(log_probs)["chunked"] = True
    return log_probs
