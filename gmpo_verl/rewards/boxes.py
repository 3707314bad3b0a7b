r"""The boxes of a text: what stands in the last balanced ``\boxed{...}`` or ``\fbox{...}``."""

import re

_BRACES = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\[{}\\]|(?P<open>\{)|(?P<close>\})")
_BRACELESS_BOX = re.compile(r"\\boxed\s+([^\s${}\\.,;]+)")
# Between boxes that form one answer: "\boxed{1} and $\boxed{2}$", "x = \boxed{1} or x = \boxed{2}".
_LAYOUT = r"(?:\s|\$|\\[()\[\],;:!]|\\q?quad)*"
_CONNECTOR = re.compile(
    rf"{_LAYOUT}(?:[,;]|[,;]?{_LAYOUT}(?:\\text\{{\s*)?,?\s*(?:and|or)\s*\}}?)?{_LAYOUT}(?:[a-zA-Z](?:_\w)?\s*=\s*)?{_LAYOUT}"
)
_MAX_CONNECTOR_CHARS = 60


def has_box(text: str) -> bool:
    """Whether a box is opened, balanced or not."""
    return r"\boxed" in text or r"\fbox" in text


def boxed_answer(text: str, max_chars: int) -> str | None:
    """The content of the last box, None where there is none or it has more than ``max_chars``. Linear in the text.

    The last boxes are one answer, joined by ", ", when only "and", "or", commas or layout stand between them; one that
    is repeated counts once.
    """
    boxes = _balanced_boxes(text)
    if not boxes:
        braceless = _BRACELESS_BOX.findall(text)
        return braceless[-1] if braceless and len(braceless[-1]) <= max_chars else None
    parts: list[str] = []
    start = len(text)
    for index, (box_start, content_start, end) in enumerate(reversed(boxes)):
        if index and (start - end > _MAX_CONNECTOR_CHARS or not _CONNECTOR.fullmatch(text, end, start)):
            break
        part = text[content_start : end - 1].strip()
        if part and part not in parts:
            parts.append(part)
        start = box_start
        if sum(map(len, parts)) > max_chars:
            return None
    return ", ".join(reversed(parts))


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
