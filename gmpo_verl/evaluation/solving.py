"""One problem, solved several times; the answer that most solutions agree on."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gmpo_verl.data.templates import Template, answer_form, messages
from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.benchmarks import Problem
from gmpo_verl.evaluation.devices import Devices
from gmpo_verl.evaluation.failure import EvaluationFailedError
from gmpo_verl.evaluation.generation import Workers
from gmpo_verl.evaluation.jobs import EngineOptions, Job
from gmpo_verl.evaluation.majority import majority
from gmpo_verl.evaluation.model_source import Model
from gmpo_verl.evaluation.prompts import IMAGE, Renderer, check_context
from gmpo_verl.evaluation.sampling import Sampling
from gmpo_verl.rewards.answer import read_response


@dataclass(frozen=True)
class Solution:
    """The majority answer of `samples` solutions, None where none of them states one; `agreeing` gave it."""

    answer: str | None
    agreeing: int
    samples: int


def pose(text: str, template: Template, images: tuple[bytes, ...]) -> Problem:
    """The problem as training data would have it.

    Raises:
        UserError: the text marks other places for images than there are images.
    """
    placed = text.count(IMAGE)
    if images and not placed:
        text = IMAGE * len(images) + text
    elif placed != len(images):
        raise UserError(f"--image is given {len(images)} times and the problem has {placed} places {IMAGE}.")
    posed = tuple(dict(message) for message in messages(template, text))
    return Problem("the problem", 0, posed, None, answer_form(template), images)


def solve(
    model: Model,
    problem: Problem,
    sampling: Sampling,
    samples: int,
    devices: Devices,
    exactly: bool,
    write: Callable[[str], None],
    say: Callable[[str], None],
    trust_remote_code: bool = False,
) -> Solution:
    """Solve the problem `samples` times at once.

    Args:
        exactly: whether the prompt must leave room for `sampling.max_tokens`, see `check_context`.
        write: gets the text of the first solution as it is generated.
        say: gets a line for the user.

    Raises:
        UserError: the prompt does not fit the model.
        EvaluationFailedError: vLLM failed.
    """
    prompt = Renderer(model, trust_remote_code).render(problem)
    sampling = replace(sampling, dtype=model.dtype(sampling.dtype))
    room = check_context(model, [(problem.benchmark, prompt)], sampling.max_tokens, exactly)
    left = sampling.room_for(prompt.tokens, room)
    options = EngineOptions(str(model.folder), sampling.dtype, room, trust_remote_code, len(prompt.images))
    jobs = [
        Job(str(sample), prompt, problem.template, sampling.seed_of(prompt.digest, sample), left, stream=sample == 0)
        for sample in range(samples)
    ]
    logs = Path(tempfile.mkdtemp(prefix="gmpo-solve-"))
    failed = False
    try:
        with Workers(options, devices, sampling, logs) as workers:
            responses = _responses(workers, jobs, write, say)
    except EvaluationFailedError:
        failed = True  # the message names the log
        raise
    finally:
        if not failed:
            shutil.rmtree(logs)
    found = majority([read_response(response, problem.template).answer for response in responses])
    answer, agreeing = found or (None, 0)
    return Solution(answer, agreeing, samples)


def _responses(
    workers: Workers, jobs: list[Job], write: Callable[[str], None], say: Callable[[str], None]
) -> list[str]:
    responses: list[str] = []
    for event in workers.events(jobs):
        if "delta" in event:
            write(event["delta"])
        elif "text" in event:
            responses.append(event["text"])
            if event["id"] == jobs[0].id:
                write("\n")
                if left := len(jobs) - len(responses):
                    say(f"{left} more solutions are being written")
    return responses
