"""Findings about what is not on this machine."""


class Absent(str):
    """A sentence of preflight about a file, a model, GPUs or a cluster that cannot be reached from this machine.

    A run is refused for it as for any other finding. A dry run goes on, and lists what it could not check.

    Attributes:
        left_out: what was not checked, in a few words.
    """

    left_out: str

    def __new__(cls, sentence: str, left_out: str) -> "Absent":
        made = super().__new__(cls, sentence)
        made.left_out = left_out
        return made
