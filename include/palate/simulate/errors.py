"""What can go wrong in the simulator alone."""

from palate.errors import PalateError


class JournalError(PalateError):
    """Raised when the record of what was sent can't be used."""


class JournalBusyError(JournalError):
    """Raised when another process writes to the record of what was sent."""


class SendError(PalateError):
    """Raised when a message was not acknowledged."""


class WarehouseError(PalateError):
    """Raised when the marts can't be read."""


class AirlineError(PalateError):
    """Raised when the airline's database can't be used."""

    exit_code = 3
