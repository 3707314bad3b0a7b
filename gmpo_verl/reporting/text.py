"""Text of unknown origin made fit to be shown: nothing in it can reorder, hide or break what stands around it."""

import unicodedata

# Formatting characters that text needs and that move nothing: they join or separate letters and emoji.
_HARMLESS = frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}\N{SOFT HYPHEN}")
_LAYOUT = frozenset("\n\t")


def whole(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot hold; pairs of them become the character they mean."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def displayable(value: object) -> str:
    """One piece of text in which control and formatting characters (bidirectional ones too) stand as `<U+202E>`."""
    text = whole(str(value))
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_plain(char) else f"<U+{ord(char):04X}>" for char in text)


def shortened(value: object, limit: int) -> str:
    """One line of at most `limit` characters; the rest is an ellipsis."""
    text = " ".join(displayable(str(value)[: 4 * limit]).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _is_plain(char: str) -> bool:
    return char in _LAYOUT or char in _HARMLESS or unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp")
