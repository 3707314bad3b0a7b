r"""The same terms in another order: "b + a" for "a + b" is the most frequent right answer that text leaves open."""

import re

from gmpo_verl.rewards.structure import outside_brackets

_MAX_CHARS = 400
# Outside a plain sum a sign may mean something else, or the order may matter.
_NO_SUM = re.compile(r"[=<>,;:|&'\"]|\\\\|\\(?:pm|mp|cup|cap|setminus|in|to|text|mod|pmod|begin|le|ge|ne)(?![a-zA-Z])")
# A sign behind one of these belongs to what follows: an exponent, an index, a factor.
_BINDS = re.compile(r"(?:[\^_*/+-]|\\(?:cdot|times|div)) *$")


def is_reordered(a: str, b: str) -> bool:
    """Whether two normalized texts are sums of the same terms."""
    if "+" not in a and "-" not in a:
        return False
    terms_a = _terms(a)
    return terms_a is not None and len(terms_a) > 1 and terms_a == _terms(b)


def _terms(text: str) -> list[str] | None:
    """The signed terms of a sum, sorted; None where the text is not plainly a sum."""
    if len(text) > _MAX_CHARS or _NO_SUM.search(text):
        return None
    signs = outside_brackets(text, "+-")
    if signs is None:
        return None
    behind = [sign for sign in signs if text[:sign].strip()]  # the first term has its sign, or none
    if any(_BINDS.search(text[:sign]) for sign in behind):
        return None
    parts = [text[start:end].replace(" ", "") for start, end in zip([0, *behind], [*behind, None], strict=True)]
    return sorted(part if part[:1] in ("+", "-") else f"+{part}" for part in parts)
