"""What a worker is asked for, as lines of JSON."""

import base64
import json
from dataclasses import asdict, dataclass

from gmpo_verl.evaluation.model_source import Dtype
from gmpo_verl.evaluation.prompts import Prompt
from gmpo_verl.evaluation.sampling import Sampling


@dataclass(frozen=True)
class EngineOptions:
    """What vLLM's engine needs; the first line to a worker."""

    model: str
    dtype: Dtype
    room: int  # the longest prompt and answer together, in tokens
    trust_remote_code: bool = False
    images: int = 0  # the most in one prompt
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class Job:
    """One answer to generate."""

    id: str
    prompt: Prompt
    template: str
    seed: int
    max_tokens: int
    stream: bool = False

    def line(self, sampling: Sampling) -> str:
        fields = {
            "id": self.id,
            "text": self.prompt.text,
            "token_ids": self.prompt.token_ids,
            "images": [base64.b64encode(image).decode() for image in self.prompt.images],
            "template": self.template,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "stream": self.stream,
        }
        shared = {name: getattr(sampling, name) for name in ("temperature", "top_p", "top_k")}
        return json.dumps(fields | shared) + "\n"
