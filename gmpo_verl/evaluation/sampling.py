"""How answers are drawn, and the seed of each."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.command import LONGEST_ANSWER
from gmpo_verl.evaluation.model_source import DTYPES, Dtype

_MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Sampling:
    """Raises UserError for a value out of range; the message names the option."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = -1
    max_tokens: int = LONGEST_ANSWER  # less where a prompt leaves less of the model's context
    seed: int = 0
    dtype: Dtype = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise UserError(
                f"--temperature {self.temperature} is out of range: write 0 (greedy) or more, 0.6 for example."
            )
        if not 0 < self.top_p <= 1:
            raise UserError(f"--top-p {self.top_p} is out of range: write a value above 0 and up to 1.")
        if self.top_k != -1 and self.top_k < 1:
            raise UserError(f"--top-k {self.top_k} is out of range: write a whole number from 1, or -1 for all tokens.")
        if self.max_tokens < 1:
            raise UserError(f"--max-tokens {self.max_tokens} leaves no room for an answer: write 1 or more.")
        if not 0 <= self.seed <= _MAX_SEED:
            raise UserError(f"--seed {self.seed} is out of range: write a whole number from 0 to {_MAX_SEED}.")
        if self.dtype not in DTYPES:
            raise UserError(f"--dtype {self.dtype} does not exist: write {', '.join(DTYPES)}.")

    def identity(self) -> dict[str, Any]:
        """What an answer depends on. Greedy answers depend on no seed and no cut of the distribution."""
        greedy = {"top_p": 1.0, "top_k": -1, "seed": 0} if self.temperature == 0 else {}
        return asdict(self) | greedy

    def room_for(self, prompt_tokens: int, room: int) -> int:
        """The tokens that an answer may have behind such a prompt, where both together may have `room`."""
        return min(self.max_tokens, room - prompt_tokens)

    def seed_of(self, prompt_digest: str, sample: int) -> int:
        """A seed of its own for each answer, so that it does not depend on which others are drawn beside it."""
        text = f"{self.seed} {prompt_digest} {sample}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])


def check_samples(option: str, n: int, temperature: float) -> None:
    """Raises UserError where `n` answers a problem make no sense; `option` is what the command calls `n`."""
    if n < 1:
        raise UserError(f"{option} {n} is out of range: write 1 or more answers a problem.")
    if n > 1 and temperature == 0:
        raise UserError(
            f"{option} {n} with --temperature 0 would draw the same answer {n} times: "
            f"write {option} 1, or --temperature 0.6."
        )
