"""What can be chosen about the embedded task: the configuration node ``arithmetic``."""

from dataclasses import dataclass, fields

from gmpo_verl.errors import UserError

# Problems are drawn from range(number of problems), which Python can sample only below 2**63.
MAX_PROMPT_DIGITS = 18
MAX_TERMS = 9
LONGEST_CONTEXT = 2048  # of the model, in tokens
BOX_OPEN = r"\boxed{"


@dataclass(frozen=True)
class ArithmeticTask:
    """The additions, the demonstrations of the warm start, and its length.

    Raises:
        UserError: a value out of range; the message names the option as ``arithmetic.<field>``.
    """

    digits: int = 2  # of every term; the first is never 0
    terms: int = 2
    worked_steps: bool = False  # demonstrations write the partial sums, one a line, before the box
    seed: int = 0
    validation_size: int = 128
    train_size: int = 8192  # at most; two terms of two digits have 8100 problems in all

    clean_steps: int = 400  # warm start, first part: correct demonstrations
    slip_steps: int = 150  # second part: a share of the demonstrations carries one slip
    slip_share: float = 0.6
    slip_range: int = 9  # a slip adds one of -slip_range..slip_range, 0 excepted
    batch_size: int = 64  # demonstrations in a step of the warm start
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        _check_types(self)
        _check_between("digits", self.digits, 1, 9)
        _check_between("terms", self.terms, 2, MAX_TERMS)
        if self.digits * self.terms > MAX_PROMPT_DIGITS:
            raise UserError(
                f"arithmetic.terms={self.terms} of arithmetic.digits={self.digits} digits are "
                f"{self.digits * self.terms} digits in a problem; choose at most {MAX_PROMPT_DIGITS}."
            )
        _check_between("seed", self.seed, 0, 2**32 - 1)
        _check_between("validation_size", self.validation_size, 1, self.problem_count // 4)
        _check_between("train_size", self.train_size, 1, 1_000_000)
        for name in ("clean_steps", "slip_steps"):
            _check_between(name, getattr(self, name), 0, 100_000)
        _check_between("slip_share", self.slip_share, 0.0, 1.0)
        _check_between("slip_range", self.slip_range, 1, 9)
        _check_between("batch_size", self.batch_size, 1, 65_536)
        _check_between("learning_rate", self.learning_rate, 1e-6, 0.1)

    @property
    def problem_count(self) -> int:
        """How many different problems there are."""
        return (9 * 10 ** (self.digits - 1)) ** self.terms

    @property
    def prompt_tokens(self) -> int:
        """Length of every prompt: one token a character."""
        return self.terms * (self.digits + 1)

    @property
    def response_tokens(self) -> int:
        """Length of the longest demonstration, end of sequence included; data.max_response_length is at least this."""
        from gmpo_verl.data.arithmetic.problems import demonstration

        largest = demonstration((10**self.digits - 1,) * self.terms, self.worked_steps)
        return len(largest) - len(BOX_OPEN) + 2


def _check_types(settings: ArithmeticTask) -> None:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.type is float and type(value) not in (int, float):
            raise UserError(f"arithmetic.{field.name}={value!r} is not a number.")
        if field.type is int and type(value) is not int:
            raise UserError(f"arithmetic.{field.name}={value!r} is not a whole number.")
        if field.type is bool and type(value) is not bool:
            raise UserError(f"arithmetic.{field.name}={value!r} is neither true nor false.")


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"arithmetic.{name}={value} is out of range; choose a value from {low} to {high}.")
