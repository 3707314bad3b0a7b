r"""The form that EasyR1's prompt asks for: the reasoning in `<think>` tags first, a `\boxed{}` after them."""

_PARTS = ("</think>", r"\boxed{", "}")  # in this order, anything between them


def has_thinking_form(response: str) -> bool:
    r"""Whether the whole response is `<think>...</think>...\boxed{...}...` (hiyouga/EasyR1,
    examples/reward_function/math.py); linear in its length, whatever it says."""
    text = response.strip()
    place = len("<think>") if text.startswith("<think>") else -1
    for part in _PARTS:
        place = text.find(part, place) if place >= 0 else -1
    return place >= 0
