r"""One spelling for answers that are written differently and mean the same: text in, text out, no mathematics."""

import re
from functools import lru_cache

_SYMBOLS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MULTIPLICATION SIGN}": r"\times ",
        "\N{DIVISION SIGN}": "/",
        "\N{FRACTION SLASH}": "/",
        "\N{MIDDLE DOT}": r"\cdot ",
        "\N{DOT OPERATOR}": r"\cdot ",
        "\N{GREEK SMALL LETTER PI}": r"\pi ",
        "\N{GREEK SMALL LETTER THETA}": r"\theta ",
        "\N{GREEK SMALL LETTER ALPHA}": r"\alpha ",
        "\N{GREEK SMALL LETTER BETA}": r"\beta ",
        "\N{INFINITY}": r"\infty ",
        "\N{DEGREE SIGN}": r"^\circ ",
        "\N{LESS-THAN OR EQUAL TO}": r"\le ",
        "\N{GREATER-THAN OR EQUAL TO}": r"\ge ",
        "\N{NOT EQUAL TO}": r"\ne ",
        "\N{ALMOST EQUAL TO}": r"\approx ",
        "\N{PLUS-MINUS SIGN}": r"\pm ",
        "\N{UNION}": r"\cup ",
        "\N{INTERSECTION}": r"\cap ",
        "\N{ELEMENT OF}": r"\in ",
        "\N{EMPTY SET}": r"\emptyset ",
        "\N{DOUBLE-STRUCK CAPITAL R}": r"\mathbb{R}",
        "\N{SQUARE ROOT}": r"\sqrt ",
        "\N{SUPERSCRIPT TWO}": "^2",
        "\N{SUPERSCRIPT THREE}": "^3",
        "\N{FULLWIDTH COMMA}": ",",
        "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
        "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
        "\N{VULGAR FRACTION ONE HALF}": r"\frac{1}{2}",
        "\N{VULGAR FRACTION ONE QUARTER}": r"\frac{1}{4}",
        "\N{VULGAR FRACTION THREE QUARTERS}": r"\frac{3}{4}",
    }
)

_MATH_DELIMITERS = re.compile(r"(?<!\\)(?:\$|\\[()\[\]])")
_LAYOUT = re.compile(
    r"\\(?:left|right)\s*\.(?!\d)|\\[hv]space\*?\s*\{[^{}]*\}|\\(?:text)?color\s*\{[^{}]*\}"
    r"|\\phantom\s*\{[^{}]*\}|\\(?:displaystyle|textstyle|limits|left|right|[bB]igg?[lrm]?)(?![a-zA-Z])"
)
_DIGIT_GROUP_SPACE = re.compile(r"(?<=\d)(?:,\\!\s*|\{,\}|\\[, ])(?=\d{3}(?!\d))")
_SPACE = re.compile(r"\\(?:quad|qquad|enspace|thinspace)(?![a-zA-Z])|(?<!\\)\\[,;:> ]|~|\s+")
_BRACE_SPACE = re.compile(r"(?<!\\)([{}]) | (?=(?<!\\ )[{}])")
_TEXT_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf|tt)?|[mh]box|emph|underline|operatorname\*?|math(?:rm|bf|it|sf)|boldsymbol|bm)\{"
)
_OLD_TEXT_COMMAND = re.compile(r"(?<!\\)\{\\(?:rm|bf|it)(?![a-zA-Z])")
# One letter in another font is that letter, unless it is the unit of a number; digits need no command.
_PLAIN_TEXT = re.compile(
    r"\\text\{ ?([eid]) ?\}(?![a-zA-Z])"
    r"|(?<!\\circ)(?<![\d})\]^])\\text\{( ?[a-zA-Z] ?)\}(?![a-zA-Z])|\\text\{([^{}]*\d[^{}]*)\}"
)
_CONNECTOR = re.compile(r"\\text\{ ?(,|,? ?(?:and|or) ?,?) ?\}|\\(?:land|lor|wedge|vee)(?![a-zA-Z])")
_ONLY_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_FRACTION_VARIANT = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_DIVISION = re.compile(r"\\div(?![a-zA-Z])")
_TOKEN = r"(?:[0-9a-zA-Z]|\\(?:pi|alpha|beta|theta)(?![a-zA-Z]))"
_GROUP = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_SHORT_FRACTION = re.compile(rf"\\frac(?: ?({_TOKEN}) ?({_TOKEN}|{_GROUP})| ?({_GROUP}) ?({_TOKEN}))")
_SHORT_ROOT = re.compile(r"\\sqrt ?([0-9a-zA-Z]|\\pi(?![a-zA-Z]))")
_LOOSE_GROUP = re.compile(r"(?<![\\a-zA-Z}\]^_])\{([^{}]*)\}")
_PLAIN_FUNCTION = re.compile(
    r"(?<![a-zA-Z\\{])(pi|theta|alpha|beta|infinity|infty|inf|sin|cos|tan|cot|sec|csc|log|ln|exp)(?![a-zA-Z])"
)
_PLAIN_ROOT = re.compile(r"\\?(?<![a-zA-Z])sqrt\(([^()]*)\)")
_PLAIN_POWER = re.compile(r"\^(?:\(([^()^]*)\)|(-\d+|\d\d+))")
_PLAIN_SUBSCRIPT = re.compile(r"_(\d\d+)")
_SHORT_RELATION = re.compile(r"\\(le|ge|ne)q(?:slant)?(?![a-zA-Z])|\\(lt|gt)(?![a-zA-Z])|(<=|>=|!=)")
_PLAIN_RELATIONS = {"lt": "<", "gt": ">", "<=": r"\le ", ">=": r"\ge ", "!=": r"\ne "}
_PERCENT_WORD = re.compile(r"(?<=[\d}]) ?(?:\\text\{)? ?(?:percent(?:age)?|pct)\.?(?: ?\})?$")
_THOUSANDS = re.compile(r"(?<![\d.,])([1-9]\d{0,2})((?:,\d{3})+)(?!\d)")
_SPACED_THOUSANDS = re.compile(r"([-+]?[1-9]\d{0,2})((?: \d{3})+)(\.\d+)?")
_BOX = re.compile(r"^\\(?:boxed|fbox)\s*\{(.*)\}$", re.DOTALL)
_ELLIPSIS = re.compile(r"\.\.\.+|\\(?:c|l)?dots[cbo]?(?![a-zA-Z])|\N{HORIZONTAL ELLIPSIS}")
_PREAMBLE = re.compile(
    r"(?i)^(?:\\text\{ ?)?(?:so |thus |therefore |hence )?,? ?(?:the )?(?:final )?answer(?: is| ?:| ?=) ?:? ?(?:\} ?)?"
)
_BRACE = re.compile(r"\\[{}\\]|[{}]")
# Read from left to right: "2/3\pi" is two thirds of pi.
_PLAIN_FRACTION = re.compile(r"(?<![\w.^_}/)!] )(?<![\w.^_}/)!])(\d+) ?/ ?(\d+)(?![\d.!^_/])")
_LOOSE_SPACE = re.compile(r"(?<!\d) +| +(?!\d)")

# What one pass uncovers another one removes, as in a box inside dollar signs.
_MAX_PASSES = 3

_ALIASES = {
    r"\varnothing": r"\emptyset",
    r"\{\}": r"\emptyset",
    r"\{ \}": r"\emptyset",
    r"+\infty": r"\infty",
    r"\infinity": r"\infty",
    r"-\infinity": r"-\infty",
    r"\inf": r"\infty",
    r"-\inf": r"-\infty",
    r"\mathbb{R}": r"(-\infty,\infty)",
    r"all real numbers": r"(-\infty,\infty)",
}


@lru_cache(maxsize=4096)
def normalize(answer: str) -> str:
    """Layout, delimiters, fonts, spacing and the variants of one command removed; the words inside a text stay."""
    text = answer if answer.isascii() else answer.translate(_SYMBOLS)
    for _ in range(_MAX_PASSES):
        before, text = text, _normalize_once(text)
        if text == before:
            break
    return text


def as_words(text: str) -> str:
    """Text commands unwrapped, lower case, single spaces: two answers in words are compared in this form."""
    return " ".join(_ONLY_TEXT.sub(r" \1 ", text).casefold().split())


def compact(text: str) -> str:
    """Text commands unwrapped and spaces removed, but for those between digits ("2 3" is not 23)."""
    return _LOOSE_SPACE.sub("", _ONLY_TEXT.sub(r"\1", text))


def _normalize_once(text: str) -> str:
    text = _unwrap_boxes(text.strip())
    text = _MATH_DELIMITERS.sub("", text)
    if "\\" in text or "{" in text:
        text = _normalize_latex(text)
    text = _ELLIPSIS.sub(r"\\ldots", _SPACE.sub(" ", text))
    text = text.strip(' *`"').rstrip(".,;:\\ ").strip()
    text = _PREAMBLE.sub("", text)
    if len(text) > 1 and not text.isdigit():
        text = _normalize_plain(text)
    return _ALIASES.get(text, text)


def _unwrap_boxes(text: str) -> str:
    while (boxed := _BOX.match(text)) and _is_balanced(boxed[1]):
        text = boxed[1].strip()
    return text


def _is_balanced(text: str) -> bool:
    depth = 0
    for brace in _BRACE.findall(text):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            return False
    return depth == 0


def _normalize_latex(text: str) -> str:
    text = _LAYOUT.sub("", text)
    text = _DIGIT_GROUP_SPACE.sub(",", text)
    text = text.replace("{,}", ",").replace(r"\!", "")
    text = _SPACE.sub(" ", text)
    text = _BRACE_SPACE.sub(r"\1", text)
    text = _TEXT_COMMAND.sub(r"\\text{", _OLD_TEXT_COMMAND.sub(r"\\text{", text))
    text = _PLAIN_TEXT.sub(lambda match: match[1] or match[2] or match[3], _CONNECTOR.sub(_connector, text))
    if only_text := _ONLY_TEXT.fullmatch(text.strip(" .,")):
        text = only_text[1]
    text = _FRACTION_VARIANT.sub(r"\\frac", text).replace(r"\dbinom", r"\binom").replace(r"\tbinom", r"\binom")
    text = _DIVISION.sub("/", text)
    text = _SHORT_FRACTION.sub(_spell_out_fraction, text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    return _LOOSE_GROUP.sub(r"\1", text)


def _normalize_plain(text: str) -> str:
    text = _PERCENT_WORD.sub(r"\\%", text)
    text = _PLAIN_ROOT.sub(r"\\sqrt{\1}", text)
    text = _PLAIN_FUNCTION.sub(r"\\\1", text)
    text = _PLAIN_POWER.sub(lambda match: f"^{{{match[1] or match[2]}}}", text.replace("**", "^"))
    text = _PLAIN_SUBSCRIPT.sub(r"_{\1}", text)
    text = _SHORT_RELATION.sub(_short_relation, text)
    text = _PLAIN_FRACTION.sub(r"\\frac{\1}{\2}", text)
    if spaced := _SPACED_THOUSANDS.fullmatch(text):
        text = spaced[1] + spaced[2].replace(" ", "") + (spaced[3] or "")
    return _THOUSANDS.sub(lambda match: match[1] + match[2].replace(",", ""), text)


def _connector(match: re.Match[str]) -> str:
    return f" {match[1].strip()} " if match[1] else (" and " if match[0] in (r"\land", r"\wedge") else " or ")


def _short_relation(match: re.Match[str]) -> str:
    return f"\\{match[1]}" if match[1] else _PLAIN_RELATIONS[match[2] or match[3]]


def _spell_out_fraction(match: re.Match[str]) -> str:
    parts = [part if part.startswith("{") else f"{{{part}}}" for part in match.groups() if part]
    return rf"\frac{parts[0]}{parts[1]}"
