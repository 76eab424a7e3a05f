"""Names that several modules need; everything else is derived from definitions."""

from enum import StrEnum
from pathlib import Path
from uuid import UUID

from pydantic import Field

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"
# One folder per area: its sources, tables, views, marts, checks.
AREAS_FOLDER = SQL_FOLDER / "areas"
# What people read; the pages show it too.
DOCS_FOLDER = SQL_FOLDER.parent / "docs"

# Contract, section 4: the namespace of every hub key in this family of systems.
HUB_KEY_NAMESPACE = UUID("7f288a2e-0ad0-4039-8e59-6c9838d87307")

# The feed that numbers dictionary entries as they are staged.
DICTIONARY_FEED = "dictionaries"

# The feed that numbers the positions of replays (ADR 0010); each area has its own.
REPLAY_FEED = "replays"

# The feed that numbers rows as comparisons with an airline's standby have read them.
RECONCILED_FEED = "flights.reconciled"

# The feeds that number the records of files, each of one dataset.
RECORDS_FEED = "files."

# The feed of tag states to be published, numbered by their versions.
TAG_FEED = "tag_states"


class FileReason(StrEnum):
    """Why an event about a file, or a record of one, is refused."""

    NOT_AN_EVENT = "not_an_event"
    UNKNOWN_IMPORT = "unknown_import"
    NOT_OUR_OBJECT = "not_our_object"
    INVALID_RECORD = "invalid_record"


def is_replay(topic: str) -> bool:
    """Return whether a log is the feed of an area's replays."""
    return topic.rpartition("/")[2] == REPLAY_FEED


def is_feed(topic: str) -> bool:
    """Return whether Palate numbers a log itself; a Kafka topic's name has no slash."""
    bare = (DICTIONARY_FEED, REPLAY_FEED, TAG_FEED, RECONCILED_FEED)
    return "/" in topic or topic in bare or topic.startswith(RECORDS_FEED)


LOAD_DT = "load_dt"
LOAD_SRC = "load_src"


class Reason(StrEnum):
    """Why a message of any source is refused (contract, section 6)."""

    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    OUT_OF_RANGE = "value_out_of_range"
    IN_FUTURE = "version_in_future"
    OWN_MESSAGE = "own_message"


# The counter of a batch's messages refused for a reason: this and the reason.
REFUSED_AS = "refused_as_"

# At most this many differing or rule-breaking rows are shown and kept per table.
EXAMPLES = 20

# A message with this header was published by Palate itself.
ORIGIN_HEADER = "palate-origin"


def hub_key(noun: str) -> str:
    """Return the key column of a hub: ``h_user`` or ``user`` give ``h_user_pk``."""
    return f"h_{noun.removeprefix('h_')}_pk"


def link_key(table: str) -> str:
    """Return the key column of a link: ``l_order_user`` gives ``hk_order_user_pk``."""
    return f"hk_{table.removeprefix('l_')}_pk"


def hashdiff(table: str) -> str:
    """Return a hashdiff: ``s_user_names`` gives ``hk_user_names_hashdiff``."""
    return f"hk_{table.removeprefix('s_')}_hashdiff"


# What a definition may call a table or a column.
Identifier = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
