"""What can go wrong, each with a sentence for the person who has to act."""


class PalateError(Exception):
    """Raised when a stage can't go on; the text names the thing and what to do.

    ``is_worth_retrying`` is false where a person must fix something first: another
    attempt would fail the same way.
    """

    exit_code = 1
    is_worth_retrying = True


class DefinitionError(PalateError):
    """Raised when a definition file is wrong; the text names the file and the field."""

    exit_code = 2
    is_worth_retrying = False


class SettingsError(PalateError):
    """Raised when a setting is missing or can't be used."""

    exit_code = 2
    is_worth_retrying = False


class RequestError(PalateError):
    """Raised when a person's request is unknown or makes no sense."""

    exit_code = 2
    is_worth_retrying = False


class ServiceUnavailableError(PalateError):
    """Raised when Kafka, PostgreSQL or Redis does not answer."""

    exit_code = 3


class TopicMissingError(PalateError):
    """Raised when a topic that is to be read does not exist on the broker."""

    exit_code = 4
    is_worth_retrying = False


class PositionGapError(PalateError):
    """Raised when offsets that were not read yet are gone from the broker."""

    exit_code = 5
    is_worth_retrying = False


class CodecMissingError(PalateError):
    """Raised when messages are compressed by a codec that isn't installed."""

    exit_code = 6
    is_worth_retrying = False


class StageBusyError(PalateError):
    """Raised when another run has held a stage's lock for longer than the wait."""

    exit_code = 7


class WatermarkMovedError(PalateError):
    """Raised when another run moved a watermark; nothing of this run was written."""

    exit_code = 8


class MartDifferenceError(PalateError):
    """Raised when a mart differs from the vault."""

    exit_code = 9


class RefusedShareError(PalateError):
    """Raised when much of a new batch was refused; the accepted rest is loaded.

    Another attempt would find nothing, and succeed.
    """

    exit_code = 10
    is_worth_retrying = False


class NotFoundError(PalateError):
    """Raised when what a person named does not exist."""

    exit_code = 11
    is_worth_retrying = False


class AccessDeniedError(PalateError):
    """Raised when a service refuses a login or a permission, or is not trusted."""

    exit_code = 12
    is_worth_retrying = False


class AlreadyThereError(PalateError):
    """Raised when what a person wants to add exists already."""

    exit_code = 13


class HistoryDiffersError(PalateError):
    """Raised when a reload found rows that differ and are never overwritten."""

    exit_code = 14
    is_worth_retrying = False


class RebuildRefusedError(PalateError):
    """Raised when a rebuild can't begin or be swapped in; nothing was changed."""

    exit_code = 15
    is_worth_retrying = False


class ApprovalNeededError(PalateError):
    """Raised when a rebuild differs from the live tables, and nobody has approved."""

    exit_code = 16
    is_worth_retrying = False


class CheckFailedError(PalateError):
    """Raised when rows break a rule that must hold."""

    exit_code = 17
    is_worth_retrying = False


class PromiseBrokenError(PalateError):
    """Raised when a message waits for the marts beyond the freshness target."""

    exit_code = 18


class AlarmNotSentError(PalateError):
    """Raised when an alarm could not be sent; it is tried again."""

    exit_code = 19


class UnreadableRecordError(PalateError):
    """Raised when the broker's bytes at a position are no readable record."""

    exit_code = 20
    is_worth_retrying = False


class WarehouseError(PalateError):
    """Raised when PostgreSQL refuses something that another attempt won't change."""

    exit_code = 21
    is_worth_retrying = False


class LockLostError(PalateError):
    """Raised when a run no longer holds its stage's lock; nothing was committed."""

    exit_code = 22


class DefinitionInUseError(PalateError):
    """Raised when a definition can't be removed, since others or rows need it."""

    exit_code = 23
    is_worth_retrying = False


class BrokerRefusedError(PalateError):
    """Raised when Kafka refuses something that another attempt won't change."""

    exit_code = 24
    is_worth_retrying = False


class ChangedMeanwhileError(PalateError):
    """Raised when what a person changes is no more what the person has seen."""

    exit_code = 25
    is_worth_retrying = False


class SourceHeldError(PalateError):
    """Raised when a source tells of another cluster, and nobody has accepted it."""

    exit_code = 26
    is_worth_retrying = False


class SourceDiffersError(PalateError):
    """Raised when the vault differs from its source, and it was not healed."""

    exit_code = 27
    is_worth_retrying = False
