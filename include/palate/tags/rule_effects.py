"""What a change of a rule would do, and what changes there were."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.sql import execute, render
from palate.tags import stage as tags
from palate.tags.rules import KnownRule, Rule, list_rules

_SQL = "areas/food/tags"

# To count more guests than this takes longer, and nobody decides otherwise for it.
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Effect:
    """How many guests a change would give a tag, and take one from.

    A number above ``MOST_COUNTED`` means: more than that.
    """

    gain: int
    lose: int


@dataclass(frozen=True)
class Change:
    """One change of a rule; ``before`` is None for a new one, ``after`` for a removal.

    :param login: the login of the database that it was done by
    """

    change_id: int
    rule_id: int
    changed_dt: datetime
    changed_by: str
    login: str
    before: Rule | None
    after: Rule | None


def effect(
    conn: Connection, new: Rule | None, changed: KnownRule | None = None
) -> Effect:
    """Return what follows from adding, changing or removing a rule.

    :param new: the rule as it would be; None if it is to be removed
    :param changed: the rule as it is; None if a new one is to be added
    """
    rules = list_rules(conn)
    now = [one.rule for one in rules]
    rest = [
        one.rule for one in rules if changed is None or one.rule_id != changed.rule_id
    ]
    then = [*rest, new] if new else rest
    old = changed.rule if changed else None
    return Effect(
        gain=_given_alone(conn, new, now),
        # What the changed rule itself gave is the question.
        lose=_given_alone(conn, old, then),
    )


def changes(
    conn: Connection,
    *,
    rule_id: int | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[Change]:
    """Return changes of one rule or of all, the newest first.

    :param before: only those with a smaller id
    """
    rows = conn.execute(
        "SELECT tag_rule_change_id, rule_id, changed_dt, changed_by, login, before,"
        " after FROM ops.tag_rule_changes"
        " WHERE (%(rule_id)s::bigint IS NULL OR rule_id = %(rule_id)s)"
        " AND (%(before)s::bigint IS NULL OR tag_rule_change_id < %(before)s)"
        " ORDER BY tag_rule_change_id DESC LIMIT %(limit)s",
        {"rule_id": rule_id, "before": before, "limit": limit},
    )
    return [
        Change(*(*known, _rule(before), _rule(after))) for *known, before, after in rows
    ]


def _rule(values: dict[str, Any] | None) -> Rule | None:
    return Rule(**values) if values else None


def _given_alone(conn: Connection, rule: Rule | None, others: list[Rule]) -> int:
    if rule is None or not rule.active:
        return 0
    competing = [one for one in others if one.active and one.tag == rule.tag]
    marts = tags.marts()
    statement = render(f"{_SQL}/given_alone.sql", kind=rule.kind, marts=marts)
    values = tags.VALUES | {
        "name": rule.name,
        "threshold": rule.threshold,
        "others": Jsonb([asdict(one) for one in competing]),
        "most": MOST_COUNTED + 1,
    }
    (number,) = execute(conn, statement, values).fetchone() or (0,)
    return int(number)
