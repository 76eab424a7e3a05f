"""The rules of the tags: seen with their effect, edited with a preview of it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from palate.tags import rule_effects, rules
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Configured, Session, User

pages = Pages("operations")
holders = Pages("persons")

_MOST = 2**63 - 1  # of a bigint
_SHOWN_HOLDERS = 200
_NEXT_RUN = "It takes effect with the next run of orders_stream."


class Given(BaseModel):
    """A rule as a form has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(pattern="^(product|category)$")]
    name: str
    threshold: Annotated[int, Field(ge=1, le=_MOST)]
    tag: str
    active: bool = True

    @property
    def rule(self) -> rules.Rule:
        """Return the rule that it is."""
        return rules.Rule(**self.model_dump())


class Changed(Given):
    """A rule as it is to be, and as the person saw it."""

    seen: Given


class Removed(BaseModel):
    """A rule that is to be removed, as the person saw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seen: Given


class Asked(Given):
    """A change whose effect a person wants to know: see ``rule_effects.effect``."""

    active: bool = False  # a box that isn't ticked is left out
    rule_id: int | None = None
    is_removed: bool = False


@dataclass(frozen=True)
class Rules:
    """All rules, and the last changes of them."""

    rules: list[rules.KnownRule]
    changes: list[rule_effects.Change]
    older: int | None


@dataclass(frozen=True)
class Holders:
    """Who holds a tag: how many, and the first of them by their own ids."""

    tag: str
    number: int
    holders: list[rules.Holder]


@pages.page("/tags", "tags.html")
def show_tags(conn: Session, before: int | None = None) -> Rules:
    """List the rules, and who changed them last."""
    limit = 20
    changes = rule_effects.changes(conn, before=before, limit=limit + 1)
    more = changes[limit - 1].change_id if len(changes) > limit else None
    return Rules(rules.list_rules(conn), changes[:limit], more)


@pages.page("/tags/effect", "tags_effect.html")
def show_effect(conn: Session, asked: Annotated[Asked, Query()]) -> rule_effects.Effect:
    """Count the guests who would gain or lose a tag by a change."""
    new = rules.Rule(**asked.model_dump(exclude={"rule_id", "is_removed"}))
    known = None if asked.rule_id is None else rules.find(conn, asked.rule_id)
    return rule_effects.effect(conn, None if asked.is_removed else new, known)


@holders.page("/tags/guests", "tags_guests.html")
def show_guests(conn: Session, tag: str) -> Holders:
    """List who holds a tag."""
    number, found = rules.guests_with(conn, tag, _SHOWN_HOLDERS)
    return Holders(tag, number, found)


@pages.act("/tags/rules", "palate_rule_add", guard="rules")
def add_rule(settings: Configured, user: User, given: Given) -> str:
    """Add a rule."""
    added = rules.add(settings, given.rule, by=user)
    return f"Rule {added.rule_id} was added: {added.rule}. {_NEXT_RUN}"


@pages.act("/tags/rules/{rule_id}", "palate_rule_change", guard="rules")
def change_rule(settings: Configured, user: User, rule_id: int, given: Changed) -> str:
    """Change a rule, if it still is what the person saw."""
    values = given.model_dump(exclude={"seen"})
    seen = given.seen.rule
    changed = rules.change(settings, rule_id, by=user, seen=seen, **values)
    return f"Rule {rule_id} was changed: {changed.rule}. {_NEXT_RUN}"


@pages.act("/tags/rules/{rule_id}/remove", "palate_rule_remove", guard="rules")
def remove_rule(settings: Configured, user: User, rule_id: int, given: Removed) -> str:
    """Remove a rule, if it still is what the person saw."""
    removed = rules.remove(settings, rule_id, by=user, seen=given.seen.rule)
    return f"Rule {rule_id} was removed: {removed.rule}. {_NEXT_RUN}"
