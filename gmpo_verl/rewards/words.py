r"""Answers without mathematics: the letter of a choice, and words."""

import re

from gmpo_verl.rewards.normalization import as_words

_CHOICE = re.compile(
    r"(?:\\text\{ ?)?(?:(?:option|choice|answer) )?(?P<open>\(?) ?(?P<letter>[A-Za-z]) ?(?P<close>\)?) ?[.:]? ?\}?",
    re.IGNORECASE,
)
# A choice with its content: "(A) 5", "A. 5", "\text{(A)} 5".
_CHOICE_WITH_CONTENT = re.compile(r"(?:\\text\{ ?)?(?:\((?P<a>[A-Z])\)|(?P<b>[A-Z])[.):]) ?\}? ?(?=[^\s,;/&])")
_OTHER_CHOICE = re.compile(r"(?<!\w)[A-Z](?!\w)|\b(?:and|or)\b")
_WORDS = re.compile(r"[^\W\d_][^\W\d_]+(?:[ .'-]+[^\W\d_]+)*[.']?")
# With numbers, as in "June 20".
_LONG_WORD = re.compile(r"(?<!\\)[a-z]{4}")
_ARTICLE = re.compile(r"^(?:an?|the) (?!and |or )(?=\w\w)")

# Shorter ones are more likely a product of variables, as in "abc".
_MIN_WORD_CHARS = 4


def choice_verdict(answer: str, truth: str) -> bool | None:
    """Where the truth is one letter: whether the answer chooses it. None where they are no choices."""
    truth_choice = _CHOICE.fullmatch(truth)
    if truth_choice is None:
        return None
    answer_choice = _CHOICE.fullmatch(answer)
    if answer_choice is None:
        content = _CHOICE_WITH_CONTENT.match(answer) if truth_choice["letter"].isupper() else None
        if content is None or _OTHER_CHOICE.search(answer, content.end()):
            return None
        return (content["a"] or content["b"]) == truth_choice["letter"]
    if answer_choice["letter"] == truth_choice["letter"]:
        return True
    # n is not N, but (a) is the choice A.
    is_marked = bool(answer_choice["close"] or truth_choice["close"])
    return is_marked and answer_choice["letter"].upper() == truth_choice["letter"].upper()


def words_verdict(answer: str, truth: str) -> bool | None:
    """Whether the words agree, but for case, articles and text commands; None where the truth is not in words."""
    truth_words, answer_words = _ARTICLE.sub("", as_words(truth)), _ARTICLE.sub("", as_words(answer))
    if not _WORDS.fullmatch(truth_words):
        is_phrase = "\\" not in truth and _LONG_WORD.search(truth_words) is not None
        return True if is_phrase and answer_words == truth_words else None
    if answer_words == truth_words and (len(truth_words) > 2 or answer.isupper() == truth.isupper()):
        return True
    is_certain = len(truth_words) >= _MIN_WORD_CHARS or r"\text" in truth
    return False if is_certain else None
