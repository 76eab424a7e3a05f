"""Why the door refuses a request, each as RFC 9457 wants it told."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

# Of the file, no answer has more than this.
QUOTED = 60


class Reason(StrEnum):
    """What is wrong; senders may rely on these words."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_DEEP = "too_deep"
    NUMBER_TOO_LONG = "number_too_long"
    BAD_GZIP = "bad_gzip"
    KEY_REUSED = "key_reused"
    FILE_TOO_LARGE = "file_too_large"
    RECORD_TOO_LARGE = "record_too_large"
    TOO_MANY_RECORDS = "too_many_records"
    PACKED_TOO_TIGHTLY = "packed_too_tightly"
    DIGEST_MISMATCH = "digest_mismatch"
    BAD_HEADER = "bad_header"
    NO_TOKEN = "no_token"
    NOT_YOUR_DATASET = "not_your_dataset"
    UNKNOWN_DATASET = "unknown_dataset"
    UNKNOWN_IMPORT = "unknown_import"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    TOO_SLOW = "too_slow"
    UNSUPPORTED_TYPE = "unsupported_type"
    STILL_RUNNING = "still_running"
    OVER_ITS_SHARE = "over_its_share"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


_STATUS = {
    Reason.NOT_JSON: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.NOT_AN_OBJECT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.TOO_DEEP: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.NUMBER_TOO_LONG: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.BAD_GZIP: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.FILE_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.RECORD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.TOO_MANY_RECORDS: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.PACKED_TOO_TIGHTLY: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.DIGEST_MISMATCH: HTTPStatus.BAD_REQUEST,
    Reason.BAD_HEADER: HTTPStatus.BAD_REQUEST,
    Reason.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Reason.NO_TOKEN: HTTPStatus.UNAUTHORIZED,
    Reason.NOT_YOUR_DATASET: HTTPStatus.FORBIDDEN,
    Reason.UNKNOWN_DATASET: HTTPStatus.NOT_FOUND,
    Reason.UNKNOWN_IMPORT: HTTPStatus.NOT_FOUND,
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Reason.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Reason.UNSUPPORTED_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Reason.STILL_RUNNING: HTTPStatus.CONFLICT,
    Reason.OVER_ITS_SHARE: HTTPStatus.TOO_MANY_REQUESTS,
    Reason.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.FAILED: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_MALFORMED = frozenset(
    {
        Reason.NOT_JSON,
        Reason.NOT_AN_OBJECT,
        Reason.TOO_DEEP,
        Reason.NUMBER_TOO_LONG,
        Reason.BAD_GZIP,
    }
)


@dataclass(frozen=True)
class Place:
    """Where a file goes wrong.

    :param record: the number of the record, from 1
    :param offset: the byte of the unpacked file, from 0
    :param line: from 1; only of a file with a record per line
    """

    record: int
    offset: int
    line: int | None = None

    def __str__(self) -> str:
        """Return it for people."""
        line = f", line {self.line}" if self.line else ""
        return f"record {self.record}, byte {self.offset}{line}"


class RefusedError(Exception):
    """Raised where a request is refused; the detail says what to do."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        place: Place | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Say why.

        :param headers: what the answer must carry beside it
        """
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.place = place
        self.headers = headers or {}

    @property
    def is_malformed(self) -> bool:
        """Return whether the whole file came, and will never be good."""
        return self.reason in _MALFORMED

    @property
    def status(self) -> HTTPStatus:
        """Return the status of the answer."""
        return _STATUS[self.reason]

    @property
    def title(self) -> str:
        """Return the reason in words."""
        return self.reason.replace("_", " ").capitalize().replace("json", "JSON")


def quoted(text: str) -> str:
    """Return the beginning of a text of the file, harmless in any answer."""
    cut = text if len(text) <= QUOTED else f"{text[: QUOTED - 3]}..."
    return f"'{cut.encode('unicode_escape').decode('ascii')[:QUOTED]}'"
