"""The rules of the tags, as a person edits them, and what follows from them.

A rule is a row of ``cdm.tag_rules``: whoever may write there may do the same by SQL.
The stage ``tags`` finds changes by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from unicodedata import normalize

from psycopg.rows import class_row

from palate.counted import counted
from palate.database import Connection, connect
from palate.errors import (
    AlreadyThereError,
    ChangedMeanwhileError,
    NotFoundError,
    SettingsError,
)
from palate.settings import Settings
from palate.sql import execute, render
from palate.tags import stage as tags

_SQL = "areas/food/tags"

KINDS = {"product": "dish", "category": "category"}
_NEAR = 3
# The table's limit too: an index can't take every longer tag.
_LONGEST_TAG = 500


@dataclass(frozen=True)
class Rule:
    """A tag rule. ``kind`` is ``product`` or ``category``."""

    kind: str
    name: str
    threshold: int
    tag: str
    active: bool = True

    def __str__(self) -> str:
        """Return the rule as part of a sentence."""
        state = "" if self.active else " (switched off)"
        return (
            f"{self.tag!r} from {counted(self.threshold, 'order')} of the"
            f" {KINDS[self.kind]} {self.name!r} on{state}"
        )


@dataclass(frozen=True)
class KnownRule:
    """A rule with its number, and its effect.

    ``things`` counts the dishes or categories of its name, ``guests`` those who hold
    its tag, by whatever rule.
    """

    rule_id: int
    kind: str
    name: str
    threshold: int
    tag: str
    active: bool
    things: int
    guests: int

    @property
    def rule(self) -> Rule:
        """Return the rule alone."""
        return Rule(self.kind, self.name, self.threshold, self.tag, self.active)


@dataclass(frozen=True)
class Holder:
    """A guest, by its own id, who holds a tag."""

    user_id: str
    since_dt: datetime


@dataclass(frozen=True)
class Reason:
    """Why a guest holds a tag: one rule, one dish or category.

    ``own_id`` is the dish's own id, or the category's name.
    """

    rule_id: int
    kind: str
    name: str
    own_id: str
    order_cnt: int
    threshold: int


@dataclass(frozen=True)
class Held:
    """A tag that a guest holds.

    Without a reason, a rule or a counter has changed: the next run removes the tag.
    """

    tag: str
    since_dt: datetime
    reasons: list[Reason]


def add(settings: Settings, rule: Rule, by: str) -> KnownRule:
    """Add a rule.

    :param by: who does it, for ``ops.tag_rule_changes``
    :raises NotFoundError: if nothing has the name that it names
    :raises AlreadyThereError: if a rule says the same already
    """
    with connect(settings) as conn, _changing(conn, by):
        _check(conn, rule)
        (rule_id,) = conn.execute(
            "INSERT INTO cdm.tag_rules (kind, name, threshold, tag, active)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING rule_id",
            astuple(rule),
        ).fetchone() or (0,)
        return find(conn, rule_id)


def change(
    settings: Settings,
    rule_id: int,
    by: str,
    seen: Rule | None = None,
    **values: Any,
) -> KnownRule:
    """Change a rule.

    :param by: who does it, for ``ops.tag_rule_changes``
    :param seen: the rule as the person saw it; None: whatever it is now
    :param values: the fields of ``Rule`` that change
    :raises NotFoundError: if there is no such rule, or nothing has its new name
    :raises AlreadyThereError: if another rule says the same already
    :raises ChangedMeanwhileError: if the rule is no more what the person saw
    """
    with connect(settings) as conn, _changing(conn, by):
        known = _locked(conn, rule_id, seen)
        rule = replace(known.rule, **values)
        renamed = (rule.kind, rule.name) != (known.kind, known.name)
        _check(conn, rule, rule_id, is_named_anew=renamed)
        conn.execute(
            "UPDATE cdm.tag_rules SET (kind, name, threshold, tag, active)"
            " = (%s, %s, %s, %s, %s) WHERE rule_id = %s",
            (*astuple(rule), rule_id),
        )
        return find(conn, rule_id)


def remove(
    settings: Settings, rule_id: int, by: str, seen: Rule | None = None
) -> KnownRule:
    """Delete a rule; return it.

    :param by: who does it, for ``ops.tag_rule_changes``
    :param seen: the rule as the person saw it; None: whatever it is now
    :raises NotFoundError: if there is no such rule
    :raises ChangedMeanwhileError: if the rule is no more what the person saw
    """
    with connect(settings) as conn, _changing(conn, by):
        known = _locked(conn, rule_id, seen)
        conn.execute("DELETE FROM cdm.tag_rules WHERE rule_id = %s", (rule_id,))
        return known


def guests_with(conn: Connection, tag: str, limit: int) -> tuple[int, list[Holder]]:
    """Return how many guests hold a tag, and the first of them by their ids.

    :raises NotFoundError: if no rule gives the tag and nobody holds it
    """
    values = {"tag": tag, "limit": limit}
    rows = execute(conn, render(f"{_SQL}/who.sql"), values).fetchall()
    if not rows:
        given = sorted({rule.tag for rule in list_rules(conn)})
        if tag not in given:
            message = f"No rule gives the tag {tag!r}.{_near(tag, given)}"
            raise NotFoundError(message)
    (number,) = conn.execute(
        "SELECT count(*) FROM cdm.user_tags WHERE tag = %s AND until_dt IS NULL", (tag,)
    ).fetchone() or (0,)
    return number, [Holder(*row) for row in rows]


def tags_of(conn: Connection, user_id: str) -> list[Held]:
    """Return the tags that a guest holds, and why.

    :param user_id: the guest's own id
    :raises NotFoundError: if no order and no dictionary entry has named the guest
    """
    row = conn.execute(
        "SELECT h_user_pk FROM dds.h_user WHERE user_id = %s", (user_id,)
    ).fetchone()
    if row is None:
        message = (
            f"There is no guest {user_id!r}: no order and no dictionary entry has "
            "named this id. It is the guest's own id, not a key of the warehouse."
        )
        raise NotFoundError(message)
    statement = render(f"{_SQL}/of.sql", applied_conditions=tags.applied_conditions())
    rows = execute(conn, statement, {"user_id": row[0]}).fetchall()
    found: dict[str, Held] = {}
    for tag, since_dt, *reason in rows:
        held = found.setdefault(tag, Held(tag, since_dt, []))
        if reason[0] is not None:
            held.reasons.append(Reason(*reason))
    return list(found.values())


def lookalikes(conn: Connection, rule: Rule) -> list[str]:
    """Return a warning about tags that a reader takes for this one."""
    found = []
    if rule.tag != rule.tag.strip():
        found.append(
            f"the tag {rule.tag!r} has blanks at an end; they belong to it, and the "
            "app gets them too."
        )
    tags = {known.tag for known in list_rules(conn)} - {rule.tag}
    found += [
        f"{rule.tag!r} and {tag!r} are two tags, though they look alike."
        for tag in sorted(tags)
        if _looks(tag) == _looks(rule.tag)
    ]
    return found


def _looks(tag: str) -> str:
    seen = "".join(char for char in tag if char.isprintable())
    return " ".join(normalize("NFKC", seen).split())


def list_rules(conn: Connection) -> list[KnownRule]:
    """Return all rules, by tag."""
    with conn.cursor(row_factory=class_row(KnownRule)) as cursor:
        return cursor.execute(render(f"{_SQL}/rules.sql")).fetchall()


def find(conn: Connection, rule_id: int) -> KnownRule:
    """Return a rule.

    :raises NotFoundError: if there is no such rule
    """
    for rule in list_rules(conn):
        if rule.rule_id == rule_id:
            return rule
    message = f"There is no rule {rule_id}. `palate tags list` shows those there are."
    raise NotFoundError(message)


@contextmanager
def _changing(conn: Connection, by: str) -> Iterator[None]:
    """Open a transaction whose changes of rules are noted as a person's."""
    with conn.transaction():
        conn.execute("SELECT set_config('palate.changed_by', %s, true)", (by,))
        yield


def _locked(conn: Connection, rule_id: int, seen: Rule | None) -> KnownRule:
    """Return a rule that nobody else can change until the commit."""
    conn.execute("SELECT FROM cdm.tag_rules WHERE rule_id = %s FOR UPDATE", (rule_id,))
    known = find(conn, rule_id)
    if seen is not None and seen != known.rule:
        message = (
            f"Rule {rule_id} was changed meanwhile: you saw {seen}, and now it is "
            f"{known.rule}. Look at it again."
        )
        raise ChangedMeanwhileError(message)
    return known


def _check(
    conn: Connection,
    rule: Rule,
    rule_id: int | None = None,
    *,
    is_named_anew: bool = True,
) -> None:
    if not rule.tag:
        message = "The tag is empty. Give it the name that the app is to show."
        raise SettingsError(message)
    if len(rule.tag) > _LONGEST_TAG:
        message = (
            f"The tag has {len(rule.tag)} characters, and may have {_LONGEST_TAG}. "
            "Give it a shorter name."
        )
        raise SettingsError(message)
    for known in list_rules(conn):
        same = replace(known.rule, active=rule.active) == rule
        if same and known.rule_id != rule_id:
            message = (
                f"Rule {known.rule_id} gives {known.rule} already. Change that one: "
                f"`palate tags set {known.rule_id} ...`."
            )
            raise AlreadyThereError(message)
    if is_named_anew:
        _check_name(conn, rule)


def _check_name(conn: Connection, rule: Rule) -> None:
    names: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for kind, name in conn.execute(render(f"{_SQL}/names.sql")):
        names[kind].append(name)
    if rule.name in names[rule.kind]:
        return
    message = f"No {KINDS[rule.kind]} is called {rule.name!r}."
    for kind in names.keys() - {rule.kind}:
        if rule.name in names[kind]:
            message += f" But a {KINDS[kind]} is: say --{KINDS[kind]}."
    raise NotFoundError(message + _near(rule.name, names[rule.kind]))


def _near(name: str, known: list[str]) -> str:
    by_folded: dict[str, str] = {}
    for one in sorted(known):
        by_folded.setdefault(one.casefold(), one)
    near = get_close_matches(name.casefold(), list(by_folded), n=_NEAR, cutoff=0.6)
    near += [
        folded
        for folded in by_folded
        if name and name.casefold() in folded and folded not in near
    ][:_NEAR]
    if not near:
        return ""
    return f" Near to it: {', '.join(repr(by_folded[one]) for one in near)}."
