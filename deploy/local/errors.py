"""What can go wrong when the stack starts."""


class StackError(Exception):
    """Raised when the stack can't do what was asked; the text says what to do."""


class NotYetError(StackError):
    """Raised when a part runs but doesn't answer; everything was left running."""
