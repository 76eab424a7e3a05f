"""The command ``palate flights``: compare the vault with the airline, and heal it."""

from typing import Annotated

import typer

from palate.cli.output import (
    AsJson,
    DecidedBy,
    exit_on_error,
    out,
    print_json,
    print_outcome,
)
from palate.decisions import current_user, required_text
from palate.engine import Caller
from palate.errors import SettingsError
from palate.pipelines import follow_vault
from palate.reconcile import accept, stage
from palate.settings import Settings, load_settings
from palate.sources import Area, catalog

app = typer.Typer(
    help="The area flights: its vault and the airline's standby.", no_args_is_help=True
)

Confirm = Annotated[
    bool,
    typer.Option(
        "--confirm",
        help="Also end rows of which more than 100, and more than 10 % of a table, are "
        "gone at once.",
    ),
]


@app.command("reconcile")
def compare(as_json: AsJson = False) -> None:
    """Compare all rows with the standby; heal differences after a new snapshot.

    Exits with 27 if differences are left, with 26 if the source is held.
    """
    _compare(must_heal=False, may_end_many=False, as_json=as_json)


@app.command()
def heal(confirm: Confirm = False, as_json: AsJson = False) -> None:
    """Compare all rows with the standby; heal differences in any case."""
    _compare(must_heal=True, may_end_many=confirm, as_json=as_json)


@app.command("accept-source")
def accept_source(
    reason: Annotated[str, typer.Option(help="Why its LSNs went back.")],
    who: DecidedBy = None,
    as_json: AsJson = False,
) -> None:
    """Take changes again of a source that was restored, or is another one.

    What follows outranks all that was loaded before. Compare it next.
    """
    with exit_on_error():
        settings = load_settings()
        number = accept.accept_source(
            settings,
            _area(settings),
            Caller.in_shell("accept-source"),
            who or current_user(),
            required_text(reason, "--reason"),
        )
        if as_json:
            print_json({"generation": number})
        else:
            out.print(
                f"Generation {number} of the source begins. Next: `palate run`, then "
                "`palate flights heal`."
            )


def _compare(*, must_heal: bool, may_end_many: bool, as_json: bool) -> None:
    with exit_on_error():
        settings = load_settings()
        area = _area(settings)
        if not settings.flights_standby_dsn.get_secret_value():
            message = (
                "Settings can't be used: FLIGHTS_STANDBY_DSN is not set, and Palate "
                "asks nobody but the airline's standby for rows."
            )
            raise SettingsError(message)
        try:
            outcome = stage.run(
                settings,
                area,
                Caller.in_shell("reconcile"),
                must_heal=must_heal,
                may_end_many=may_end_many,
            )
            print_outcome(outcome, as_json)
        finally:
            # What was healed is counted, also where something is left.
            for followed in follow_vault(settings, area):
                print_outcome(followed, as_json)


def _area(settings: Settings) -> Area:
    return catalog.find_area(settings, "flights")
