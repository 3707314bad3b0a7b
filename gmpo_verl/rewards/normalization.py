r"""One spelling for answers that are written differently and mean the same: text in, text out, no mathematics."""

import re

_SYMBOLS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MULTIPLICATION SIGN}": r"\times ",
        "\N{DIVISION SIGN}": "/",
        "\N{MIDDLE DOT}": r"\cdot ",
        "\N{GREEK SMALL LETTER PI}": r"\pi ",
        "\N{INFINITY}": r"\infty ",
        "\N{DEGREE SIGN}": r"^\circ",
        "\N{LESS-THAN OR EQUAL TO}": r"\le ",
        "\N{GREATER-THAN OR EQUAL TO}": r"\ge ",
        "\N{UNION}": r"\cup ",
        "\N{FULLWIDTH COMMA}": ",",
        "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
        "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
        "\N{VULGAR FRACTION ONE HALF}": r"\frac{1}{2}",
    }
)

_MATH_DELIMITERS = re.compile(r"(?<!\\)(?:\$|\\[()\[\]])")
_LAYOUT = re.compile(
    r"\\(?:left|right)\s*\.(?!\d)|\\(?:displaystyle|textstyle|limits|left|right|[bB]igg?[lr]?)(?![a-zA-Z])"
)
_SPACE = re.compile(r"\\(?:quad|qquad|enspace|thinspace)(?![a-zA-Z])|(?<!\\)\\[,;:!> ]|~|\s+")
_FRACTION_VARIANT = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)|\\frac\s*(\d)\s*(?=\{)|(\\frac\s*\{[^{}]*\})\s*(\d)(?!\d)")
_SHORT_ROOT = re.compile(r"\\sqrt\s*([0-9a-zA-Z])")
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf|rm|operatorname)\s*\{([^{}]*)\}")
_LOOSE_SPACE = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
_BOX = re.compile(r"^\\(?:boxed|fbox)\s*\{(.*)\}$", re.DOTALL)
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3})((?:,\d{3})+)(?![\d])")
_DEGREES = re.compile(r"\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree(?![a-zA-Z])|\s*\\?(?:text\{)?\s*degrees?\s*\}?$")


def normalize(answer: str) -> str:
    """Layout, delimiters, spacing and the variants of one command removed; the words inside ``\\text`` are kept."""
    text = answer.translate(_SYMBOLS).strip()
    while (boxed := _BOX.match(text)) and "}" not in re.sub(r"\{[^{}]*\}", "", boxed[1]):
        text = boxed[1].strip()
    text = _MATH_DELIMITERS.sub("", text)
    text = _LAYOUT.sub("", text)
    text = text.replace("{,}", ",").replace(r"\$", "").replace(r",\!", ",").replace(r"\!", "")
    text = re.sub(r"(?<=\d)\\[, ](?=\d{3}(?!\d))", "", text)
    text = _SPACE.sub(" ", text)
    text = _FRACTION_VARIANT.sub(r"\\frac", text)
    text = _SHORT_FRACTION.sub(_spell_out_fraction, text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    text = re.sub(r"\\(le|ge|ne)q(?![a-zA-Z])", r"\\\1", text)
    text = _THOUSANDS.sub(lambda match: match[1] + match[2].replace(",", ""), text)
    return text.strip().strip("*").rstrip(".,;:\\").strip()


def without_degrees(text: str) -> str:
    """A trailing or inner degree sign dropped: MATH's ground truths write 60 and 60^\\circ for the same angle."""
    return _DEGREES.sub("", text).strip()


def as_words(text: str) -> str:
    """Text commands unwrapped, lower case, single spaces: two answers in words are compared in this form."""
    return " ".join(_TEXT.sub(r" \1 ", text).casefold().split())


def compact(text: str) -> str:
    """Text commands unwrapped and spaces removed, but for those between digits ("2 3" is not 23)."""
    return _LOOSE_SPACE.sub("", _TEXT.sub(r"\1", text))


def _spell_out_fraction(match: re.Match[str]) -> str:
    if match[1]:
        return rf"\frac{{{match[1]}}}{{{match[2]}}}"
    if match[3]:
        return rf"\frac{{{match[3]}}}"
    return rf"{match[4]}{{{match[5]}}}"
