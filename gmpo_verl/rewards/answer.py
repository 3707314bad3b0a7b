r"""The answer of a response, and whether it has the format that its prompt asked for."""

from typing import Literal, NamedTuple, cast, get_args

from gmpo_verl.rewards.bare_answer import bare_answer
from gmpo_verl.rewards.boxes import boxed_answer, has_box

Template = Literal["qwen_math", "r1", "none"]
DEFAULT_TEMPLATE: Template = "qwen_math"

# The answer stands at the end of a response; looking at the tail alone bounds the work on hostile text.
MAX_RESPONSE_CHARS = 65_536
# The longest ground truth of MATH and of the evaluation suite has a few hundred characters.
MAX_ANSWER_CHARS = 2_000

# Markers that end a turn. A tokenizer drops them where they are special tokens; a base model also spells them out
# and goes on, and what follows is no longer an answer to the prompt.
STOP_MARKERS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "</s>",
    "<\N{FULLWIDTH VERTICAL LINE}end\u2581of\u2581sentence\N{FULLWIDTH VERTICAL LINE}>",
)

_R1_OPENING = "</think> <answer>"
_R1_CLOSING = "</answer>"


def template_of(name: object) -> Template:
    """The template of a row; None is the default one. Raises ValueError for a name that is none of them."""
    if name is None:
        return DEFAULT_TEMPLATE
    if name not in get_args(Template):
        raise ValueError(f"extra_info['template'] is {name!r} and not one of {', '.join(get_args(Template))}")
    return cast(Template, name)


def response_text(response: str) -> str:
    """The part of a response that counts: up to the first stop marker, and of that the last MAX_RESPONSE_CHARS."""
    ends = [position for marker in STOP_MARKERS if (position := response.find(marker)) >= 0]
    return response[: min(ends, default=len(response))][-MAX_RESPONSE_CHARS:]


class Reading(NamedTuple):
    """What a response answers, and whether its template's form is there and not empty."""

    answer: str | None  # stripped; None where there is none or it is longer than MAX_ANSWER_CHARS
    format_ok: bool  # a balanced box, the tags of r1, any answer for none


def read_response(response: str, template: Template = DEFAULT_TEMPLATE) -> Reading:
    r"""The answer of a response, by the template of its prompt.

    - ``qwen_math``: the content of the last balanced ``\boxed{...}`` (or ``\fbox``); boxes that only "and", "or",
      commas or layout separate are one answer.
    - ``r1``: what stands between ``<answer>`` and ``</answer>``, and of that the box if there is one. As in
      understand-r1-zero and the official GMPO the tags must read ``</think> <answer>`` (the prompt ends with
      ``<think>``) and the response ends with its first ``</answer>``, at which generation stops there.
    - ``none``: the box if there is one, else the bare final answer: after "the answer is" or "####", else a last line
      of up to three words, else the last formula, else the last number. Understand-r1-zero needs a box here too.
    """
    text = response_text(response)
    answer = _ANSWERS[template](text)
    if answer is not None and len(answer) > MAX_ANSWER_CHARS:
        answer = None
    return Reading(answer, format_ok=bool(_r1_content(text) if template == "r1" else answer))


def extract_answer(response: str, template: Template = DEFAULT_TEMPLATE) -> str | None:
    """The answer of `read_response`."""
    return read_response(response, template).answer


def _boxed(text: str) -> str | None:
    return boxed_answer(text, MAX_ANSWER_CHARS)


def _tagged(text: str) -> str | None:
    content = _r1_content(text)
    return _boxed(content) if content and has_box(content) else content


def _boxed_or_bare(text: str) -> str | None:
    return _boxed(text) if has_box(text) else bare_answer(text)


def _r1_content(text: str) -> str | None:
    answered, closing, _ = text.partition(_R1_CLOSING)
    if not closing or _R1_OPENING not in answered:
        return None
    return answered.rpartition("<answer>")[2].strip()


_ANSWERS = {"qwen_math": _boxed, "r1": _tagged, "none": _boxed_or_bare}
