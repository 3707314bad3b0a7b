"""What a user can cause, told apart from what cannot happen."""


class UserError(ValueError):
    """A mistake in what the user asked for.

    The message is one clear sentence that names the option and says what to write instead.
    The command prints it and ends with exit code 2, without a traceback.
    """


def reason(error: BaseException) -> str:
    """The first line of an error's text, without a full stop; the error's class where it has none."""
    return _first_line(error).rstrip(".") or type(error).__name__


def named_reason(error: BaseException) -> str:
    """The error's class and the first line of its text, where it has one."""
    line = _first_line(error)
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
