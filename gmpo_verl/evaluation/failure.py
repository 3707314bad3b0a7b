"""What fails through no mistake of the user's."""


class EvaluationFailedError(RuntimeError):
    """vLLM or the merger of a checkpoint failed; the message has the cause. Ends a command with 1, no traceback."""
