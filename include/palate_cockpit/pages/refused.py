"""Refused messages: the list, one message with its bytes, and what is decided."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, Field

from palate import requests
from palate.counted import counted
from palate.decisions import required_text
from palate.errors import NotFoundError, RequestError
from palate.landing import refusals, replays
from palate.positions import FeedPartition
from palate.reads import refused
from palate_cockpit.csv_file import csv_file
from palate_cockpit.routes import NONE_IF_EMPTY, Pages
from palate_cockpit.sessions import Configured, Session, User

pages = Pages("operations")
# The bytes of a message are data about persons.
contents = Pages("persons")

_MOST_COUNTED = 10_000
_MOST_IN_FILE = 10_000
_MESSAGE = "/refused/{topic}/{epoch}/{partition}/{offset}"
_HEADS = (
    *("topic", "epoch", "partition", "offset", "broker_dt", "reason", "detail"),
    *("rejected_dt", "dismissed_dt", "dismissed_by", "dismissed_why"),
)

_Number = Annotated[int | None, NONE_IF_EMPTY]
_Flag = Annotated[bool | None, NONE_IF_EMPTY]
_Part = Annotated[int, Path(ge=0, le=2**31 - 1)]


def _asked(
    conn: Session,
    settings: Configured,
    reason: Annotated[Sequence[str], Query()] = (),
    topic: str = "",
    partition: _Number = None,
    start: Annotated[str, Query(alias="from")] = "",
    end: Annotated[str, Query(alias="to")] = "",
    dismissed: _Flag = None,
) -> refusals.Selection:
    found = requests.selection(
        settings,
        conn,
        reasons=[one for one in reason if one],
        topic=topic,
        partition=partition,
        start=start,
        end=end,
    )
    return replace(found, with_dismissed=bool(dismissed))


_Asked = Annotated[refusals.Selection, Depends(_asked)]


def _position(
    topic: str,
    epoch: _Part,
    partition: _Part,
    offset: Annotated[int, Path(ge=0, le=10**18)],
) -> tuple[FeedPartition, int]:
    return FeedPartition(topic, epoch, partition), offset


_Position = Annotated[tuple[FeedPartition, int], Depends(_position)]


@pages.page("/refused", "refused.html")
def show_list(conn: Session, asked: _Asked, after: str = "") -> refused.Refused:
    """List refused messages, the first positions first."""
    return refused.page(conn, asked, after=after or None, most=_MOST_COUNTED)


@pages.download("/refused.csv")
def download_list(conn: Session, asked: _Asked) -> Response:
    """Return the list as a file, without the messages' bytes."""
    found = refused.find(conn, replace(asked, limit=_MOST_IN_FILE + 1))
    rows = [[getattr(one, head) for head in _HEADS] for one in found[:_MOST_IN_FILE]]
    if len(found) > _MOST_IN_FILE:
        rows.append([f"There are more than {_MOST_IN_FILE:,}: narrow down the filter."])
    return csv_file("refused.csv", _HEADS, rows)


@contents.page(_MESSAGE, "refused_message.html")
def show_message(conn: Session, position: _Position) -> refused.Content:
    """Show one message: why it was refused, its bytes, what was decided of it."""
    return refused.show(conn, *position)


@contents.download(f"{_MESSAGE}/bytes")
def download_message(conn: Session, position: _Position) -> Response:
    """Return the bytes of a message as they came."""
    found = refused.show(conn, *position)
    if found.message is None:
        why = "retention has dropped them" if found.is_gone else "it has no value"
        message = f"The message at {found.rejected.position} has no bytes: {why}."
        raise NotFoundError(message)
    name = found.rejected.position.replace("/", "-")
    return Response(
        found.message,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}.bin"'},
    )


class Dismissing(BaseModel, extra="forbid"):
    """What somebody wants to dismiss, and why.

    Either some ``positions``, or ``all`` that a filter selects; then ``shown`` is how
    many the page showed of it, and ``at`` when it did.
    """

    why: str
    positions: str = ""
    all: bool = False
    reasons: list[str] = []
    topic: str | None = None
    epoch: int | None = None
    partition: int | None = None
    start: str | None = Field(None, alias="from")
    end: str | None = Field(None, alias="to")
    shown: int | None = None
    at: datetime | None = None


@pages.act("/refused/dismiss", "palate_dismiss", guard="dismiss")
def dismiss(asked: Dismissing, settings: Configured, user: User) -> str:
    """Dismiss messages in the name of who asks."""
    if bool(asked.positions.strip()) == asked.all:
        message = "Nothing was dismissed: say which positions, or all of a filter."
        raise RequestError(message)
    selection = requests.selection(
        settings,
        reasons=asked.reasons,
        topic=asked.topic,
        epoch=asked.epoch,
        partition=asked.partition,
        positions=asked.positions,
        start=asked.start,
        end=asked.end,
    )
    if not asked.all:
        # One that somebody has dismissed meanwhile is told, and no error.
        selection = replace(selection, with_dismissed=True)
    why = required_text(asked.why, "Why")
    done = replays.dismiss(settings, selection, user, why, asked.at)
    return _said(done, asked.shown)


def _said(done: replays.Dismissal, shown: int | None) -> str:
    sentences = [f"Dismissed {counted(done.number, 'refused message')}."]
    if done.earlier:
        earlier = sum(done.earlier.values())
        names = ", ".join(f"by {who}" for who in done.earlier)
        sentences.append(
            f"{counted(earlier, 'was', 'were')} dismissed already, {names}."
        )
    else:
        earlier = 0
    since = done.number + earlier - (shown or 0)
    if shown is not None and since > 0:
        sentences.append(
            f"{counted(since, 'of them was', 'of them were')} refused after you had "
            "opened the page."
        )
    if shown is not None and since < 0:
        sentences.append(
            f"{counted(-since, 'message', 'messages')} of the page "
            f"{'is' if since == -1 else 'are'} not refused any more."
        )
    return " ".join(sentences)
