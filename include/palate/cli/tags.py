"""The command ``palate tags``: the rules, who has a tag, and why."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from palate.cli.output import (
    AsJson,
    DecidedBy,
    exit_on_error,
    out,
    print_json,
    print_table,
)
from palate.counted import counted
from palate.database import connect
from palate.decisions import current_user
from palate.errors import RequestError
from palate.settings import load_settings
from palate.tags import rules
from palate.text import escape_controls, unmistakable

app = typer.Typer(
    help="Tags of guests: the rules that give them, who has which, and why.",
    no_args_is_help=True,
)

_MOST = 2**63 - 1  # of a bigint

RuleId = Annotated[int, typer.Argument(help="The rule's number, as `list` shows it.")]
Dish = Annotated[
    str | None, typer.Option("--dish", help="The exact name of a dish, or of several.")
]
Category = Annotated[
    str | None, typer.Option("--category", help="The exact name of a category.")
]


@app.command("list")
def list_rules(as_json: AsJson = False) -> None:
    """List the rules, with how many guests hold the tag of each."""
    with exit_on_error():
        with connect(load_settings()) as conn:
            found = rules.list_rules(conn)
        if as_json:
            print_json([asdict(rule) for rule in found])
            return
        rows = []
        for one in found:
            note = "" if one.active else "switched off"
            if not one.things:
                note += ", " * bool(note) + "nothing has this name"
            elif one.things > 1:
                note += ", " * bool(note) + f"{one.things} dishes have this name"
            rows.append(
                (
                    str(one.rule_id),
                    unmistakable(one.tag),
                    rules.KINDS[one.kind],
                    unmistakable(one.name),
                    str(one.threshold),
                    str(one.guests),
                    note,
                )
            )
        if rows:
            heads = ("rule", "tag", "given by", "name", "from orders", "guests", "note")
            print_table(heads, rows)
        else:
            out.print("There are no rules. `palate tags add --help` shows how.")


@app.command()
def add(
    tag: Annotated[str, typer.Argument(help="The tag, as the app is to show it.")],
    threshold: Annotated[
        int,
        typer.Option(min=1, max=_MOST, help="From how many orders on a guest gets it."),
    ],
    dish: Dish = None,
    category: Category = None,
    by: DecidedBy = None,
    as_json: AsJson = False,
) -> None:
    """Add a rule: a tag from so many orders of a dish or a category on."""
    with exit_on_error():
        names = _named(dish, category)
        if not names:
            message = "Say what has to be ordered: --dish or --category."
            raise RequestError(message)
        rule = rules.Rule(threshold=threshold, tag=tag, **names)
        _print_change(
            "Added", rules.add(load_settings(), rule, by or current_user()), as_json
        )


@app.command("set")
def set_rule(
    rule_id: RuleId,
    threshold: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="From how many orders on.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Another tag.")] = None,
    dish: Dish = None,
    category: Category = None,
    active: Annotated[
        bool | None, typer.Option("--on/--off", help="Switch it on or off.")
    ] = None,
    by: DecidedBy = None,
    as_json: AsJson = False,
) -> None:
    """Change a rule, or switch it on or off."""
    with exit_on_error():
        given = {"threshold": threshold, "tag": tag, "active": active}
        values: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        } | _named(dish, category)
        if not values:
            message = (
                "Nothing is to be changed. `palate tags set --help` shows what can."
            )
            raise RequestError(message)
        changed = rules.change(load_settings(), rule_id, by or current_user(), **values)
        _print_change("Changed", changed, as_json)


@app.command()
def remove(rule_id: RuleId, by: DecidedBy = None, as_json: AsJson = False) -> None:
    """Delete a rule; guests lose its tag unless another rule gives it."""
    with exit_on_error():
        removed = rules.remove(load_settings(), rule_id, by or current_user())
        _print_change("Removed", removed, as_json)


@app.command()
def who(
    tag: Annotated[str, typer.Argument(help="The tag.")],
    limit: Annotated[int, typer.Option(min=1, help="Show at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who has a tag, by the guests' own ids."""
    with exit_on_error():
        with connect(load_settings()) as conn:
            number, holders = rules.guests_with(conn, tag, limit)
        if as_json:
            guests = [asdict(one) for one in holders]
            print_json({"tag": tag, "guests": number, "holders": guests})
            return
        for one in holders:
            print(f"{escape_controls(one.user_id)}  since {one.since_dt:%F %T} UTC")
        shown = f", {len(holders)} of them shown" if len(holders) < number else ""
        having = counted(number, "guest has", "guests have")
        out.print(f"{having} {unmistakable(tag)}{shown}.")


@app.command()
def of(
    user_id: Annotated[str, typer.Argument(help="The guest's own id.")],
    as_json: AsJson = False,
) -> None:
    """Show which tags a guest has, and which rules and counts give them."""
    with exit_on_error():
        with connect(load_settings()) as conn:
            found = rules.tags_of(conn, user_id)
        if as_json:
            print_json([asdict(one) for one in found])
            return
        for held in found:
            print(f"{unmistakable(held.tag)}, since {held.since_dt:%F %T} UTC")
            for why in held.reasons:
                thing = f"{rules.KINDS[why.kind]} {why.name!r}"
                own = f" ({why.own_id})" if why.kind == "product" else ""
                line = (
                    f"  {counted(why.order_cnt, 'order')} of the {thing}{own};"
                    f" rule {why.rule_id} asks for {why.threshold}"
                )
                print(escape_controls(line))
            if not held.reasons:
                print("  no rule gives it any more: the next run takes it away")
        if not found:
            out.print(f"Guest {escape_controls(user_id)} has no tags.")


def _named(dish: str | None, category: str | None) -> dict[str, Any]:
    if dish is not None and category is not None:
        message = "A rule is about one thing: say --dish or --category, not both."
        raise RequestError(message)
    if dish is not None:
        return {"kind": "product", "name": dish}
    return {} if category is None else {"kind": "category", "name": category}


def _print_change(done: str, known: rules.KnownRule, as_json: bool) -> None:
    if as_json:
        print_json(asdict(known))
    else:
        out.print(
            f"{done} rule {known.rule_id}: {escape_controls(str(known.rule))}. "
            "It takes effect with the next run."
        )
    if done != "Removed":
        with connect(load_settings()) as conn:
            for warning in rules.lookalikes(conn, known.rule):
                typer.echo(f"Note: {escape_controls(warning)}", err=True)
