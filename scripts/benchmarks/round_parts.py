"""What each part of a training round takes, from FLOPs, bytes and the cost of a response in Python.

A model, not a measurement: README.md has the source of every constant, and where it is likely wrong. The parts of a
round follow one another; within a pass, traffic hides behind arithmetic.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

HBM_FRACTION = 0.87  # of the peak bandwidth
BUS_FRACTION = 0.8  # of the links' peak bandwidth, in NCCL
GEMM_FRACTION = 0.6  # of the peak FLOPs, in decoding and prefill
ALL_REDUCE_S = 10e-6  # latency of one in a tensor-parallel engine
SYNC_OVERHEAD_S = 1.0  # of a weight sync: buckets, IPC, sleep and wake-up
GRADING_S = 0.12e-3  # of one answer, on one core
MICRO_BATCH_TOKENS = 16_384  # verl's ppo_max_token_len_per_gpu


@dataclass(frozen=True)
class Model:
    """A Qwen2: grouped-query attention with biases on q, k and v, and a gated MLP."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    tied: bool = False
    head_dim: int = 128

    @property
    def parameters(self) -> int:
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        layer = (self.hidden + 1) * (q + 2 * kv) + q * self.hidden + 3 * self.hidden * self.ffn + 2 * self.hidden
        return self.layers * layer + self.hidden + (1 if self.tied else 2) * self.vocabulary * self.hidden

    @property
    def weight_bytes(self) -> int:
        """In bf16."""
        return 2 * self.parameters

    @property
    def kv_bytes(self) -> int:
        """Of one token, bf16: 2 (keys, values) x 2 bytes x layers x KV heads x head dimension."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_dim

    def forward_flops(self, tokens: float, context: float) -> float:
        """tokens x (2 x matrix parameters + 4 x layers x heads x head dimension x positions attended to)."""
        matrices = self.parameters - (0 if self.tied else self.vocabulary * self.hidden)
        return tokens * (2 * matrices + 4 * self.layers * self.heads * self.head_dim * context)


@dataclass(frozen=True)
class Machine:
    """One GPU in a node of eight: FLOPs and bytes a second (links: one way), bytes of memory."""

    flops: float
    hbm: float
    memory: float
    nvlink: float
    network: float
    utilization: float  # of the peak FLOPs, in verl's passes over a 7B model

    def bus(self, gpus: int) -> float:
        """Bytes a second of an all-gather: NVLink; between nodes, at most what a node's network cards carry."""
        return BUS_FRACTION * (self.nvlink if gpus <= 8 else min(self.nvlink, 8 * self.network))


@dataclass(frozen=True)
class Round:
    prompts: int = 128
    group: int = 8  # responses a prompt
    updates: int = 8
    prompt_tokens: int = 120
    response_tokens: float = 800  # mean, before the limit cuts
    spread: float = 0.7  # sigma of the log-normal lengths
    limit: int = 3000
    tensor_parallel: int = 1  # of the rollout
    step_overhead: float = 2e-3  # seconds of a decoding step beside its kernels
    overhead: float = 3e-3  # seconds of Python of a response, on one core
    pruned: float = 0.0  # share of responses without advantage, left out of the passes
    bypass: bool = False  # the rollout's log-probs stand for the old ones
    balanced: bool = False  # the tokens of each update are balanced over the ranks

    @property
    def size(self) -> int:
        return self.prompts * self.group

    def lengths(self, count: int) -> list[int]:
        """Quantiles of the response lengths, ascending."""
        median = self.response_tokens * math.exp(-(self.spread**2) / 2)
        normal = (NormalDist().inv_cdf((i + 0.5) / count) for i in range(count))
        return [max(1, min(self.limit, round(median * math.exp(self.spread * z)))) for z in normal]

    def sequences(self, gpus: int) -> list[int]:
        """Tokens of what the passes see: a multiple of updates x ranks, filled up with the shortest that could go."""
        needed = round(self.size * (1 - self.pruned))
        multiple = self.updates * gpus
        fillers = max(-(-needed // multiple), 1) * multiple - needed
        return [self.prompt_tokens + n for n in self.lengths(needed) + self.lengths(self.size - needed)[:fillers]]


def mean_position(lengths: Sequence[float]) -> float:
    """Of a token in its sequence: sum n^2 / (2 sum n). Also the mean age of a response that is being generated."""
    return sum(n * n for n in lengths) / (2 * sum(lengths))


def decode_step_seconds(model: Model, machine: Machine, setup: Round, running: float, context: float) -> float:
    """max((weights + KV of the running batch) / bandwidth, FLOPs / peak) / tensor parallel + latencies."""
    read = (model.weight_bytes + running * context * model.kv_bytes) / (machine.hbm * HBM_FRACTION)
    compute = model.forward_flops(running, context) / (machine.flops * GEMM_FRACTION)
    latency = 2 * model.layers * ALL_REDUCE_S if setup.tensor_parallel > 1 else 0.0
    return max(read, compute) / setup.tensor_parallel + latency + setup.step_overhead


def prefill_seconds(model: Model, machine: Machine, tokens: float, context: float, gpus: int) -> float:
    """FLOPs / peak of all GPUs."""
    return model.forward_flops(tokens, context) / (gpus * machine.flops * GEMM_FRACTION)


def generation_seconds(model: Model, machine: Machine, setup: Round, gpus: int) -> float:
    """Prefill of each prompt once, then steps until the longest response is done, in the replica that has it."""
    lengths = setup.lengths(setup.size)[:: -max(gpus // setup.tensor_parallel, 1)][::-1]
    running = [len(lengths) - bisect_right(lengths, step) for step in range(lengths[-1])]
    steps = (
        decode_step_seconds(model, machine, setup, batch, setup.prompt_tokens + step)
        for step, batch in enumerate(running)
    )
    prompts = setup.prompts * setup.prompt_tokens
    return prefill_seconds(model, machine, prompts, setup.prompt_tokens / 2, gpus) + sum(steps)


def steady_generation_seconds(model: Model, machine: Machine, setup: Round, gpus: int, in_flight: float) -> float:
    """Steps (tokens of a round / responses in flight) x step, with always as many responses unfinished: no tail."""
    lengths = setup.lengths(setup.size)
    context = setup.prompt_tokens + mean_position(lengths)
    step = decode_step_seconds(model, machine, setup, in_flight * setup.tensor_parallel / gpus, context)
    return sum(lengths) / in_flight * step


def pass_seconds(model: Model, machine: Machine, gpus: int, flops: float, tokens: float, gathers: int) -> float:
    """Of one rank: max(FLOPs / (peak x utilization), micro-batches x gathers of the bf16 weights / bus)."""
    traffic = math.ceil(tokens / MICRO_BATCH_TOKENS) * gathers * model.weight_bytes / machine.bus(gpus)
    return max(flops / (machine.flops * machine.utilization), traffic)


def forward_seconds(model: Model, machine: Machine, setup: Round, gpus: int) -> float:
    """Old log-probs: one forward of the round, whose tokens verl balances over the ranks."""
    if setup.bypass:
        return 0.0
    sequences = setup.sequences(gpus)
    tokens = sum(sequences) / gpus
    return pass_seconds(model, machine, gpus, model.forward_flops(tokens, mean_position(sequences)), tokens, gathers=1)


def update_seconds(model: Model, machine: Machine, setup: Round, gpus: int) -> float:
    """4 forwards (forward, checkpoint, 2 backward); on the bus, bf16 weights twice and float32 gradients (= 2) once.

    Sequences are dealt out at random, the same number to each rank; an update waits for the rank with most tokens.
    """
    sequences = setup.sequences(gpus)
    flops_of_token = 4 * model.forward_flops(1, mean_position(sequences))
    random.Random(0).shuffle(sequences)
    seconds = 0.0
    for update in range(setup.updates):
        mini_batch = sequences[update :: setup.updates]
        tokens: float = max(sum(mini_batch[rank::gpus]) for rank in range(gpus))
        if setup.balanced:
            tokens = max(max(mini_batch), sum(mini_batch) / gpus)
        seconds += pass_seconds(model, machine, gpus, tokens * flops_of_token, tokens, gathers=4)
    return seconds


def sync_seconds(model: Model, machine: Machine, gpus: int) -> float:
    """float32 shards gathered (2 x bf16) / bus, bf16 read and written / bandwidth, and what no size changes."""
    copied = 2 * model.weight_bytes
    return copied / machine.bus(gpus) + copied / (machine.hbm * HBM_FRACTION) + SYNC_OVERHEAD_S


def parts(model: Model, machine: Machine, setup: Round, gpus: int) -> dict[str, float]:
    """The synchronous round."""
    return {
        "generation": generation_seconds(model, machine, setup, gpus),
        "grading": setup.size * GRADING_S,
        "old log-probs": forward_seconds(model, machine, setup, gpus),
        "update": update_seconds(model, machine, setup, gpus),
        "weight sync": sync_seconds(model, machine, gpus),
        "other, per response": setup.size * setup.overhead,
    }
