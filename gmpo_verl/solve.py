"""Solve: `python -m gmpo_verl.solve --model DIR "problem" [--samples 16] [--image FILE]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gmpo_verl.data.templates import TEMPLATES
from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.command import LONGEST_ANSWER, add_model_options, call

_DESCRIPTION = """\
Solves one problem. The first solution is shown as it is written; the answer is the one that most solutions agree on,
with the number of those that gave it. Exit code 1 where no solution states an answer."""
_SAMPLED = 0.6  # with top-p 0.95 and 16 answers the sampling of the official training script's evaluation


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 (failed, or no answer), 2 (a mistake in the command), 130 (Ctrl-C)."""
    options = _parser().parse_args(arguments)
    return call(lambda: _main(options))


def _main(options: argparse.Namespace) -> int:
    from gmpo_verl.evaluation.devices import Devices
    from gmpo_verl.evaluation.model_source import find_model
    from gmpo_verl.evaluation.run import say
    from gmpo_verl.evaluation.run_template import template_of_run
    from gmpo_verl.evaluation.sampling import Sampling, check_samples
    from gmpo_verl.evaluation.solving import pose, solve

    temperature = options.temperature
    if temperature is None:
        temperature = 0.0 if options.samples == 1 else _SAMPLED
    check_samples("--samples", options.samples, temperature)
    max_tokens = LONGEST_ANSWER if options.max_tokens is None else options.max_tokens
    sampling = Sampling(temperature, options.top_p, options.top_k, max_tokens, options.seed, options.dtype)
    devices = Devices(options.tensor_parallel_size, 1, options.gpu_memory_utilization)
    images = tuple(_image(name) for name in options.image)
    text = _problem_text(options.problem)
    model = find_model(options.model, options.trust_remote_code, say)
    template = options.template or (template_of_run(model.run_dir) if model.run_dir else "qwen_math")
    problem = pose(text, template, images)
    exactly = options.max_tokens is not None
    solution = solve(
        model, problem, sampling, options.samples, devices, exactly, _write, say, options.trust_remote_code
    )
    if solution.answer is None:
        print(f"no solution of {solution.samples} states an answer")
        return 1
    share = f" ({solution.agreeing} of {solution.samples})" if solution.samples > 1 else ""
    print(f"answer: {solution.answer}{share}")
    return 0


def _problem_text(argument: str | None) -> str:
    if argument is None and sys.stdin.isatty():
        print("gmpo_verl: type the problem, then Ctrl-D", file=sys.stderr)
    text = (sys.stdin.read() if argument is None else argument).strip()
    if not text:
        raise UserError("the problem is empty: write it as an argument in quotes, or to standard input.")
    return text


def _image(name: str) -> bytes:
    file = Path(name).expanduser()
    if not file.is_file():
        raise UserError(f"--image {name} is no file: write the path of a picture.")
    from PIL import Image, UnidentifiedImageError

    try:
        Image.open(file).verify()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"--image {name} is not a picture that can be read: write a PNG or JPEG file.") from error
    return file.read_bytes()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gmpo_verl.solve", description=_DESCRIPTION)
    parser.add_argument("problem", nargs="?", help="by default read from standard input")
    parser.add_argument(
        "--model", required=True, help="a Hugging Face folder, a name on the hub, a run directory or its global_step_N"
    )
    parser.add_argument("--samples", type=int, default=16, help="solutions (default 16)")
    parser.add_argument("--image", action="append", default=[], metavar="FILE", help="a picture; may be repeated")
    parser.add_argument(
        "--template",
        choices=TEMPLATES,
        help="how the model is asked; by default as its run was trained, else qwen_math",
    )
    parser.add_argument(
        "--temperature", type=float, help=f"default {_SAMPLED}, or 0 (greedy) with --samples 1; 0 is the likeliest text"
    )
    add_model_options(parser, top_p=0.95)
    return parser


if __name__ == "__main__":
    sys.exit(main())
