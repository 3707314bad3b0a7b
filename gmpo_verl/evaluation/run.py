"""One evaluation from the model to the verdicts: what is missing is generated, everything is graded."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gmpo_verl.evaluation.answer_file import AnswerFile, Key
from gmpo_verl.evaluation.benchmarks import Problem
from gmpo_verl.evaluation.devices import Devices
from gmpo_verl.evaluation.fingerprint import fingerprint
from gmpo_verl.evaluation.generation import Workers
from gmpo_verl.evaluation.grading import Grading, Verdict
from gmpo_verl.evaluation.jobs import EngineOptions, Job
from gmpo_verl.evaluation.model_source import Model
from gmpo_verl.evaluation.prompts import Prompt, Renderer, check_context
from gmpo_verl.evaluation.results import write_results
from gmpo_verl.evaluation.sampling import Sampling

_QUIET_BAR_SECONDS = 10.0  # between lines where nobody watches


def say(text: str) -> None:
    """A line for the user, beside the results."""
    print(f"gmpo_verl: {text}", file=sys.stderr, flush=True)


def evaluate(
    model: Model,
    benchmarks: Mapping[str, Sequence[Problem]],
    out: Path,
    sampling: Sampling,
    n: int,
    devices: Devices,
    exactly: bool = False,
    name: str | None = None,
    limit: int | None = None,
    trust_remote_code: bool = False,
) -> dict[str, Any]:
    """The results, which are written to `out` too.

    Args:
        n: answers a problem.
        exactly: whether every prompt must leave room for `sampling.max_tokens`, see `check_context`.
        name: of the model, for the tables.
        limit: of problems of each benchmark, for the tables.

    Raises:
        UserError: the prompts do not fit the model, the devices are too few, or `out` is another evaluation's.
        EvaluationFailedError: vLLM failed.
    """
    sampling = replace(sampling, dtype=model.dtype(sampling.dtype))
    devices.shares()
    problems = [problem for rows in benchmarks.values() for problem in rows]
    renderer = Renderer(model, trust_remote_code)
    prompts = [renderer.render(problem) for problem in problems]
    named = [(problem.name, prompt) for problem, prompt in zip(problems, prompts, strict=True)]
    room = check_context(model, named, sampling.max_tokens, exactly)
    _say_what_is_cut(prompts, sampling.max_tokens, room)
    images = max(len(prompt.images) for prompt in prompts)
    options = EngineOptions(str(model.folder), sampling.dtype, room, trust_remote_code, images)

    with ExitStack() as stack:
        file = stack.enter_context(AnswerFile(out, lambda stored: fingerprint(model, sampling, stored)))
        grading = stack.enter_context(Grading())
        wanted = dict(_keys(problems, prompts, n))
        missing = {key: index for key, index in wanted.items() if key not in file.answers}
        verdicts = {
            key: grading.submit(file.answers[key], problems[index].ground_truth, problems[index].template)
            for key, index in wanted.items()
            if key in file.answers
        }
        if missing:
            _say_what_is_missing(len(wanted), len(missing))
            workers = stack.enter_context(Workers(options, devices, sampling, out / "logs"))
            for key, answer in _generated(workers, missing, problems, prompts, sampling, room, len(wanted)):
                problem = problems[missing[key]]
                file.add(key, answer | {"ground_truth": problem.ground_truth, "template": problem.template})
                verdicts[key] = grading.submit(answer, problem.ground_truth, problem.template)
        graded = _by_problem(problems, n, wanted, verdicts)
        return write_results(out, name or model.name, sampling.identity() | {"n": n, "limit": limit}, graded)


def _keys(problems: Sequence[Problem], prompts: Sequence[Prompt], n: int) -> Iterator[tuple[Key, int]]:
    """The key of every answer, with its problem's position; all first answers before all second ones."""
    digests = [prompt.digest for prompt in prompts]
    for sample in range(n):
        for position, problem in enumerate(problems):
            yield Key(problem.benchmark, problem.index, digests[position], sample), position


def _generated(
    workers: Workers,
    missing: Mapping[Key, int],
    problems: Sequence[Problem],
    prompts: Sequence[Prompt],
    sampling: Sampling,
    room: int,
    total: int,
) -> Iterator[tuple[Key, dict[str, Any]]]:
    keys = list(missing)
    jobs = [
        Job(
            id=str(number),
            prompt=prompts[missing[key]],
            template=problems[missing[key]].template,
            seed=sampling.seed_of(key.prompt, key.sample),
            max_tokens=sampling.room_for(prompts[missing[key]].tokens, room),
        )
        for number, key in enumerate(keys)
    ]
    pause = 0.1 if sys.stderr.isatty() else _QUIET_BAR_SECONDS
    events = workers.events(jobs)
    next(events)  # a worker is ready: the bar measures generation alone
    with tqdm(total=total, initial=total - len(keys), desc="answers", unit="answer", mininterval=pause) as bar:
        tokens = 0
        for event in events:
            if "text" not in event:
                continue
            tokens += event["tokens"]
            bar.update()
            bar.set_postfix_str(f"{tokens / max(1e-9, bar.format_dict['elapsed']):.0f} tokens/s", refresh=False)
            key = keys[int(event["id"])]
            yield (
                key,
                {
                    "prompt_text": prompts[missing[key]].text,
                    "response": event["text"],
                    "tokens": event["tokens"],
                    "truncated": event["finish_reason"] == "length",
                },
            )


def _by_problem(
    problems: Sequence[Problem], n: int, wanted: Mapping[Key, int], verdicts: Mapping[Key, Future[Verdict]]
) -> dict[tuple[str, int], tuple[Any, list[Verdict]]]:
    graded: dict[tuple[str, int], tuple[Any, list[Verdict]]] = {
        (problem.benchmark, problem.index): (problem.ground_truth, []) for problem in problems
    }
    for key in wanted:  # by sample first
        graded[key.benchmark, key.index][1].append(verdicts[key].result())
    assert all(len(samples) == n for _, samples in graded.values())
    return graded


def _say_what_is_cut(prompts: Sequence[Prompt], max_tokens: int, room: int) -> None:
    lengths = [prompt.tokens for prompt in prompts if prompt.tokens + max_tokens > room]
    if lengths:
        say(
            f"{len(lengths)} of {len(prompts)} prompts leave less than {max_tokens} of the model's {room} tokens "
            f"for the answer, the longest {room - max(lengths)}"
        )


def _say_what_is_missing(wanted: int, missing: int) -> None:
    found = f"{wanted - missing} of {wanted} answers are there, " if missing < wanted else ""
    say(f"{found}starting vLLM for {missing} answers")
