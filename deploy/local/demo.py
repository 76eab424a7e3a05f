"""The demo: a week of orders and a live trickle, from Kafka to the marts and tags.

Airflow does all the loading; the demo sends, waits, shows, and compares with what the
simulator knows it sent.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from deploy.local.__main__ import local_stack
from palate.database import connect
from palate.reads import status
from palate.settings import Settings, load_settings
from palate.tags import rules

_LIVE_SECONDS = 30
_LIVE_ORDERS_A_MINUTE = 120
_PATIENCE_SECONDS = 600
_COMPARE_SECONDS = 30  # the last messages may still be on their way to the tags

# What an analyst might begin with: the tag, and the least orders of a dish or category.
_RULES = (
    ("Любитель пиццы", "--category", "Пицца", 200),
    ("Любитель пиццы", "--dish", "Маргарита", 80),
    ("Сладкоежка", "--category", "Десерты", 250),
    ("Кофеман", "--dish", "Капучино", 40),
    ("Кофеман", "--dish", "Латте", 40),
    ("Дарит обеды", "--category", "", 30),
)

out = Console()


def main() -> int:
    """Run the demo on the running stack; return the exit code of its comparison."""
    stack = local_stack()
    os.environ.update(stack.env() | {"PALATE_VAR": str(stack.var)})
    settings = load_settings()

    _say("1. The order service sends its dictionaries and a week of history.")
    if (stack.var / "simulator").exists():
        out.print("They were sent before; `make reset` forgets them.")
    else:
        _palate("simulate", "demo")

    _say("2. Airflow hears the bell and loads: STG, vault, marts.")
    _wait_until_counted(settings)
    _show_marts(settings)

    _say("3. An analyst gives rules: who orders this so often gets that tag.")
    _add_rules(settings)

    _say(f"4. A live trickle, {_LIVE_ORDERS_A_MINUTE} orders a minute.")
    rate = ("--rate", str(_LIVE_ORDERS_A_MINUTE), "--for", str(_LIVE_SECONDS))
    _palate("simulate", "live", "--demo", *rate)
    _wait_until_counted(settings)

    _say("5. The dictionaries are read again: renamed and moved dishes, late entries.")
    _palate("dictionaries", "sync")
    _wait_until_counted(settings)
    _show_marts(settings)
    _show_tags(settings)

    _say("6. Are the marts and the tags what they must be?")
    wait = ("--wait", str(_COMPARE_SECONDS))
    compared = _palate("simulate", "truth", "--compare", *wait, check=False)
    env = stack.env()
    out.print(
        f"\nLook around: {env['AIRFLOW_URL']} (the login stands in"
        f" {_shown(stack.var)}/stack.env), `.venv/bin/palate status`, `make status`."
    )
    return compared


def _palate(*arguments: str, check: bool = True) -> int:
    command = [str(Path(sys.executable).with_name("palate")), *arguments]
    done = subprocess.run(command, check=False)
    if check and done.returncode:
        sys.exit(done.returncode)
    return done.returncode


def _say(sentence: str) -> None:
    out.rule(f"[bold]{sentence}", align="left")


def _wait_until_counted(settings: Settings) -> None:
    """Show how far each layer is until nothing waits."""
    layers: dict[str, Callable[[status.LogStatus], int]] = {
        "staged in STG": lambda log: log.staged,
        "loaded into the vault": lambda log: log.loaded,
        "counted in the marts": lambda log: min(log.marts.values()),
    }
    with Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=out,
    ) as progress:
        bars = {layer: progress.add_task(layer) for layer in layers}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = status.status(settings)
            end = sum(max(log.end_offset or 0, log.staged) for log in found.logs)
            for layer, position in layers.items():
                at = sum(position(log) for log in found.logs)
                progress.update(bars[layer], completed=at, total=end)
            if end and all(log.lag == 0 for log in found.logs):
                return
            time.sleep(1)
    out.print(
        f"After {_PATIENCE_SECONDS} s something is still waiting. See `make status`,"
        " and the runs of orders_stream in the Airflow UI.",
        style="red",
    )
    sys.exit(1)


def _show_marts(settings: Settings) -> None:
    table = Table("guest", "what", "orders", "pieces", "amount", title="Favourites")
    with connect(settings) as conn:
        for mart, label in (
            ("user_category_counters", "category_name"),
            ("user_product_counters", "product_name"),
        ):
            rows = conn.execute(
                f"SELECT u.user_id, m.{label}, m.order_cnt, m.pieces_cnt, m.amount"
                f" FROM cdm.{mart} AS m INNER JOIN dds.h_user AS u"
                " ON m.user_id = u.h_user_pk"
                " ORDER BY m.order_cnt DESC, u.user_id LIMIT 3"
            )
            for row in rows:
                table.add_row(*[str(value) for value in row])
    out.print(table)


def _add_rules(settings: Settings) -> None:
    with connect(settings) as conn:
        there = {one.rule for one in rules.list_rules(conn)}
    for tag, option, name, threshold in _RULES:
        kind = "product" if option == "--dish" else "category"
        if rules.Rule(kind, name, threshold, tag) not in there:
            _palate("tags", "add", tag, option, name, "--threshold", str(threshold))


def _show_tags(settings: Settings) -> None:
    """Show the rules, and the guest with the most tags."""
    _palate("tags", "list")
    with connect(settings) as conn:
        most = conn.execute(
            "SELECT u.user_id FROM cdm.user_tags AS t INNER JOIN dds.h_user AS u"
            " ON t.user_id = u.h_user_pk WHERE t.until_dt IS NULL"
            " GROUP BY u.user_id ORDER BY count(*) DESC, u.user_id LIMIT 1"
        ).fetchone()
    if most:
        out.print(f"palate tags of {most[0]}")
        _palate("tags", "of", most[0])


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main())
