"""The command ``palate``: what a person does more than once, in a shell."""

import logging
from itertools import groupby
from typing import Annotated

import typer
from rich.logging import RichHandler

from palate import marts, publish, readable, tags
from palate.cli.charts import app as charts_app
from palate.cli.checks import check, reconcile
from palate.cli.dictionaries import app as dictionaries_app
from palate.cli.drop import drop
from palate.cli.files import app as files_app
from palate.cli.flights import app as flights_app
from palate.cli.incidents import incidents
from palate.cli.intake import app as intake_app
from palate.cli.output import (
    AsJson,
    InertFormatter,
    errors,
    exit_on_error,
    out,
    print_json,
    print_outcome,
    print_table,
)
from palate.cli.positions import app as positions_app
from palate.cli.rebuild import rebuild_vault
from palate.cli.rejected import app as rejected_app
from palate.cli.reload import reload
from palate.cli.storage import app as storage_app
from palate.cli.tags import app as tags_app
from palate.cli.trends import show_trends
from palate.engine import Caller
from palate.errors import SettingsError
from palate.landing import replays
from palate.monitoring import Freshness
from palate.pipelines import run_pipeline
from palate.reads import status
from palate.settings import load_settings
from palate.simulate import app as simulate_app
from palate.text import escape_controls

# What rebuilds the vault and all marts, beside a mart's name.
_VAULT = "vault"

app = typer.Typer(
    help="Order messages from Kafka to a Data Vault and counter marts in PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(simulate_app, name="simulate")
app.add_typer(rejected_app, name="rejected")
app.add_typer(tags_app, name="tags")
app.add_typer(positions_app, name="positions")
app.add_typer(storage_app, name="storage")
app.add_typer(dictionaries_app, name="dictionaries")
app.add_typer(charts_app, name="charts")
app.add_typer(flights_app, name="flights")
app.add_typer(files_app, name="files")
app.add_typer(intake_app, name="intake")
app.command("reload")(reload)
app.command("check")(check)
app.command("reconcile")(reconcile)
app.command("incidents")(incidents)
app.command("drop")(drop)
app.command("trends")(show_trends)


@app.callback()
def main(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log each batch.")
    ] = False,
) -> None:
    """Set up the log: warnings, or every batch with ``--verbose``."""
    handler = RichHandler(console=errors, show_path=False)
    handler.setFormatter(InertFormatter("%(message)s"))
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, handlers=[handler]
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)


@app.command()
def migrate() -> None:
    """Create or update the warehouse's schemas, tables and views."""
    # Importing it takes a third of the command's start, and only this needs it.
    from palate.schema import migrate

    with exit_on_error():
        made = migrate.migrate(load_settings())
        out.print(
            f"Made {', '.join(made)}." if made else "The warehouse is up to date."
        )


@app.command()
def run(as_json: AsJson = False) -> None:
    """Run the pipeline once: drain, vault, dictionaries, both marts, tags."""
    with exit_on_error():
        for outcome in run_pipeline(load_settings()):
            print_outcome(outcome, as_json)


@app.command("status")
def show_status(as_json: AsJson = False) -> None:
    """Show lag per partition, freshness, refused messages and the last batches.

    Exit with 18 if a message has waited longer than the freshness target.
    """
    with exit_on_error():
        found = status.status(load_settings())
        if as_json:
            print_json(found.as_dict())
        else:
            _print_status(found)
        found.check()


@app.command()
def rebuild(
    mart: Annotated[str, typer.Argument(help="A mart; user_tags; or vault.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="vault: swap even if rows differ.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="vault: drop what is built beside.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count everything in the vault anew into one mart, or evaluate all tags.

    `vault` rebuilds the vault itself and all marts from STG, beside the live tables,
    which are loaded meanwhile; reports what differs, and swaps them once approved.
    Exits with 15 if that can't be, with 16 if an approval is missing.
    """
    with exit_on_error():
        settings = load_settings()
        known = [*readable.marts(), "user_tags", _VAULT]
        if mart not in known:
            readable.refuse_errors(settings)
            message = f"There is no mart {mart}. There are: {', '.join(known)}."
            raise SettingsError(message)
        if mart == _VAULT:
            rebuild_vault(settings, yes=yes, give_up=discard, as_json=as_json)
            return
        if mart == "user_tags":
            outcome = tags.rebuild(settings, Caller.in_shell("rebuild"))
        else:
            outcome = marts.stage.rebuild(settings, mart, Caller.in_shell("rebuild"))
        print_outcome(outcome, as_json)


@app.command("publish")
def publish_changes(
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Send the tags of all guests anew: Redis has lost them, say.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send changes to Kafka and Redis."""
    with exit_on_error():
        settings = load_settings()
        if again:
            publish.again(settings, Caller.in_shell("publish"))
        print_outcome(publish.run(settings, Caller.in_shell("publish")), as_json)


def _print_status(found: status.Status) -> None:
    for area, logs in groupby(found.logs, key=lambda item: item.area):
        _print_logs(area, list(logs))
    _print_promises(found.promises)
    refused = ", ".join(f"{reason} {n}" for reason, n in found.refused.items())
    dismissed = f" Dismissed: {found.dismissed}." if found.dismissed else ""
    out.print(f"Refused: {refused or 'none'}.{dismissed}")
    if own := found.refused.get("own_message"):
        out.print(replays.describe_own(own))
    out.print(f"Ids that the dictionary does not know yet: {found.waiting_ids}.")
    if found.waiting_tags:
        out.print(f"Tags of guests to evaluate: {found.waiting_tags}.")
    if found.uncopied:
        out.print(f"Changed rows of marts to copy: {found.uncopied}.")
    waits = ", ".join(f"{what} {n}" for what, n in found.unpublished.items() if n)
    out.print(f"Waiting to be published: {waits or 'nothing'}.")
    print_table(
        ("batch", "stage", "committed", "by", "run"),
        [
            (
                str(batch["batch_id"]),
                batch["stage"] + (" (repeat)" if batch["is_repeat"] else ""),
                batch["committed_dt"][:19],
                batch["dag_id"],
                batch["run_id"],
            )
            for batch in found.last_batches
        ],
    )
    for new in found.filling:
        out.print(str(new))
    for problem in found.problems:
        errors.print(escape_controls(problem), style="yellow")


def _print_logs(area: str, logs: list[status.LogStatus]) -> None:
    names = list(logs[0].marts)
    rows = []
    for item in logs:
        epoch = f" epoch {item.epoch}" if item.epoch else ""
        age = item.oldest_waiting_seconds
        rows.append(
            [
                f"{item.topic}[{item.partition}]{epoch}",
                "?" if item.end_offset is None else str(item.end_offset),
                str(item.staged),
                str(item.loaded),
                *[str(offset) for offset in item.marts.values()],
                str(item.lag),
                f"{age} s" if age is not None else "not known" if item.lag else "-",
            ]
        )
    heads = (f"log of {area}", "end", "staged", "loaded", *names, "lag")
    print_table((*heads, "oldest waiting"), rows)


def _print_promises(promises: list[Freshness]) -> None:
    for promise in promises:
        whose = f"The oldest message waits for the marts of {promise.area}"
        since = (
            f"{whose}, nobody knows for how long: the watch does not run"
            if promise.waiting_seconds is None
            else f"{whose} for {promise.waiting_seconds:g} s"
        )
        out.print(f"{since}; {promise.promised_seconds:g} s are promised.")
