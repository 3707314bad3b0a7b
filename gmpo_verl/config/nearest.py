"""The names that a misspelt one was probably meant to be."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """The at most `count` of `names` that look most like `name`, best first; empty when none is close."""
    return get_close_matches(str(name), [str(candidate) for candidate in names], n=count, cutoff=0.6)


def nearest_keys(key: str, keys: Iterable[str], count: int = 3) -> list[str]:
    """The existing dotted configuration keys that `key` was probably meant to be, best first.

    A key is close by its whole path, or by its last part where the path before it exists or was left out.
    """
    parent, _, leaf = key.rpartition(".")
    keys = list(keys)
    folders = {candidate.rpartition(".")[0] for candidate in keys}

    def closeness(candidate: str) -> float:
        candidate_parent, _, candidate_leaf = candidate.rpartition(".")
        leaf_ratio = SequenceMatcher(None, leaf, candidate_leaf).ratio()
        if candidate_parent == parent:
            return leaf_ratio
        if f".{candidate}".endswith(f".{key}") or (candidate == parent and candidate not in folders):
            return 1.0
        # A near miss elsewhere in the tree ranks below one beside the key that was asked for.
        return 0.95 * min(leaf_ratio, SequenceMatcher(None, key, candidate).ratio())

    ranked = sorted(((closeness(candidate), candidate) for candidate in keys), key=lambda pair: (-pair[0], pair[1]))
    return [candidate for ratio, candidate in ranked[:count] if ratio >= 0.7]


def one_of(names: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *head, last = [str(name) for name in names] or [""]
    return f"{', '.join(head)} or {last}" if head else last


def suggestion(name: str, names: Iterable[str]) -> str:
    """`did you mean X?` where something is close, else the whole list to choose from."""
    names = sorted(str(candidate) for candidate in names)
    close = nearest(name, names)
    return f"did you mean {one_of(close)}?" if close else f"write {one_of(names)}."
