r"""The same terms in another order: "b + a" for "a + b" is the most frequent right answer that text leaves open."""

import re

_MAX_CHARS = 400
# Outside a plain sum a sign may mean something else, or the order may matter.
_NO_SUM = re.compile(r"[=<>,;:|&'\"]|\\\\|\\(?:pm|mp|cup|cap|setminus|in|to|text|mod|pmod|begin|le|ge|ne)(?![a-zA-Z])")
# A sign behind one of these belongs to what follows: an exponent, an index, a factor.
_BINDS = re.compile(r"(?:[\^_*/+-]|\\(?:cdot|times|div)) *$")


def is_reordered(a: str, b: str) -> bool:
    """Whether two normalized texts are sums of the same terms."""
    terms_a = _terms(a)
    return terms_a is not None and len(terms_a) > 1 and terms_a == _terms(b)


def _terms(text: str) -> list[str] | None:
    """The signed terms of a sum, sorted; None where the text is not plainly a sum."""
    if len(text) > _MAX_CHARS or _NO_SUM.search(text):
        return None
    starts, depth = [0], 0
    for position, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return None
        if depth == 0 and char in "+-" and text[:position].strip():
            if _BINDS.search(text[:position]):
                return None
            starts.append(position)
    if depth:
        return None
    parts = [text[start:end].replace(" ", "") for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return sorted(part if part[:1] in ("+", "-") else f"+{part}" for part in parts)
