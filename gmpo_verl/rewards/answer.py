r"""The answer of a response: what stands in its last balanced ``\boxed{...}``."""

import re

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

_BRACES = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\[{}\\]|(?P<open>\{)|(?P<close>\})")
_BRACELESS_BOX = re.compile(r"\\boxed\s+([^\s${}\\.,;]+)")
# Between boxes that form one answer: "\boxed{1} and $\boxed{2}$".
_CONNECTOR = re.compile(r"\s*[$]*\s*(?:,|;|,?\s*(?:\\text\{\s*)?(?:and|or)(?:\s*\})?)\s*[$]*\s*")


def response_text(response: str) -> str:
    """The part of a response that counts: up to the first stop marker, and of that the last MAX_RESPONSE_CHARS."""
    ends = [position for marker in STOP_MARKERS if (position := response.find(marker)) >= 0]
    return response[: min(ends, default=len(response))][-MAX_RESPONSE_CHARS:]


def extract_answer(response: str) -> str | None:
    r"""The content of the last balanced box (``\boxed`` or ``\fbox``), stripped; None when there is none.

    The last boxes are one answer, joined by ", ", when only "and", "or", commas or dollar signs stand between them.
    An answer longer than MAX_ANSWER_CHARS counts as none. Linear in the length of the response.
    """
    text = response_text(response)
    boxes = _balanced_boxes(text)
    if not boxes:
        braceless = _BRACELESS_BOX.findall(text)
        return braceless[-1] if braceless and len(braceless[-1]) <= MAX_ANSWER_CHARS else None
    parts: list[str] = []
    start = boxes[-1][0]
    for index in range(len(boxes) - 1, -1, -1):
        box_start, content_start, end = boxes[index]
        if parts and not _CONNECTOR.fullmatch(text[end:start][:100]):
            break
        parts.append(text[content_start : end - 1].strip())
        start = box_start
        if sum(map(len, parts)) > MAX_ANSWER_CHARS:
            return None
    return ", ".join(reversed(parts))


def is_format_ok(response: str) -> bool:
    """The template asks for a boxed answer: a balanced box that is not empty is there."""
    return bool(extract_answer(response))


def _balanced_boxes(text: str) -> list[tuple[int, int, int]]:
    """Outermost balanced boxes in order, each as (start of the command, start of its content, end)."""
    open_braces: list[tuple[int, int] | None] = []
    boxes: list[tuple[int, int, int]] = []
    for match in _BRACES.finditer(text):
        if match["box"]:
            open_braces.append((match.start(), match.end()))
        elif match["open"]:
            open_braces.append(None)
        elif match["close"] and open_braces:
            opened = open_braces.pop()
            if opened is not None:
                while boxes and boxes[-1][0] > opened[0]:
                    boxes.pop()
                boxes.append((*opened, match.end()))
    return boxes
