"""What a user can cause, told apart from what cannot happen."""


class UserError(ValueError):
    """A mistake in what the user asked for.

    The message is one clear sentence that names the option and says what to write instead.
    The command prints it and ends with exit code 2, without a traceback.
    """
