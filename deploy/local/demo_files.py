"""The demo of the area files: two companies send good files and bad ones.

Airflow does all the loading. The demo sends by HTTP, as a partner does; shows each
answer, event, row and problem; and compares them with what each file must give.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from deploy.local.__main__ import local_stack
from deploy.local.demo_deliveries import ACME, DATASET, GLOBEX, Delivery, deliveries
from deploy.local.demo_events import Told, events_of
from palate.database import Connection, connect
from palate.names import RECORDS_FEED
from palate.reads import status
from palate.settings import Settings, load_settings

_PATIENCE_SECONDS = 300
# The events that there must be of an import, once each.
_EVENTS = {
    "malformed": {"FileExtractError"},
    "loaded": {"FileExtractSuccess"},
    "invalid": {"FileExtractSuccess", "ValidationError"},
}
_REASON_WIDTH = 60

out = Console()


@dataclass(frozen=True)
class Sent:
    """A delivery with its answer.

    :param import_id: of the import that there is of it, if any
    """

    delivery: Delivery
    code: int
    said: dict[str, Any]
    import_id: str | None


def main() -> int:
    """Run the demo on the running stack; return 1 if something is not as it must be."""
    stack = local_stack()
    os.environ.update(stack.env() | {"PALATE_VAR": str(stack.var)})
    settings = load_settings()

    _say("1. Two companies get a token each; it is shown once, and kept as a digest.")
    tokens = {company: _token(company) for company in (ACME, GLOBEX)}
    out.print(f"{ACME} and {GLOBEX} may send {DATASET} to {os.environ['INTAKE_URL']}.")

    _say("2. They send; each answer is given at once.")
    sent = [_send(one, tokens[one.company]) for one in deliveries()]
    _show_answers(sent)

    _say("3. Airflow hears of the events and judges the records by the schema.")
    imports = _wait_until_judged(sent, tokens)
    _wait_until_counted(settings)
    told = events_of(os.environ["KAFKA_BOOTSTRAP"], imports)
    with connect(settings) as conn:
        rows = {one: _rows(conn, one) for one in imports}
        _show_imports(imports, told, rows)
        _show_problems(imports, tokens)

        _say("4. What analysts see: companies by country and year of founding.")
        _show_mart(conn)

    _say("5. Did each file give what it must?")
    wrong = [line for one in sent for line in _judge(one, imports, told, rows)]
    for line in wrong:
        out.print(line, style="red")
    out.print(_summary(sent, imports, told, rows, len(wrong)))
    return 1 if wrong else 0


def _token(company: str) -> str:
    palate = str(Path(sys.executable).with_name("palate"))
    command = [palate, "intake", "tokens", "add", company, "--dataset", DATASET]
    done = subprocess.run(
        [*command, "--days", "1"], check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


def _client(token: str) -> httpx.Client:
    return httpx.Client(
        base_url=os.environ["INTAKE_URL"],
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )


def _send(delivery: Delivery, token: str) -> Sent:
    headers = {
        "Content-Type": delivery.kind,
        "Content-Disposition": f'attachment; filename="{delivery.name}"',
    }
    with _client(token) as client:
        answer = client.post(
            f"/import/{DATASET}", content=delivery.content, headers=headers
        )
    place = answer.headers.get("Location", "")
    said: dict[str, Any] = answer.json()
    number = said.get("import_id") or place.rpartition("/")[2] or None
    return Sent(delivery, answer.status_code, said, number)


def _wait_until_judged(
    sent: list[Sent], tokens: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return each import, once it is judged and all of its events are sent."""
    found: dict[str, dict[str, Any]] = {}
    owners = {one.import_id: one.delivery.company for one in sent if one.import_id}

    def are_judged() -> bool:
        for number, company in owners.items():
            try:
                with _client(tokens[company]) as client:
                    answer = client.get(f"/imports/{number}").raise_for_status()
            except httpx.TransportError:  # it may be starting again
                return False
            found[number] = answer.json()
        return all(_is_over(one) for one in found.values())

    _wait(are_judged)
    return found


def _wait_until_counted(settings: Settings) -> None:
    """Wait until the mart has all records that are staged."""
    feed = f"{RECORDS_FEED}{DATASET}"
    _wait(
        lambda: all(
            log.lag == 0 for log in status.status(settings).logs if log.topic == feed
        )
    )


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with out.status("waiting for Airflow"):
        while not holds():
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        else:
            return
    out.print(
        f"After {_PATIENCE_SECONDS} s a file is still waiting. See `make status`, and"
        " the runs of files_intake in the Airflow UI.",
        style="red",
    )
    sys.exit(1)


def _is_over(found: dict[str, Any]) -> bool:
    return found["state"] != "received" and {*found["events"].values()} == {"sent"}


def _rows(conn: Connection, import_id: str) -> int:
    query = "SELECT count(*) FROM stg.file_records WHERE import_id = %s"
    ((number,),) = conn.execute(query, (import_id,)).fetchall()
    return int(number)


def _judge(
    one: Sent,
    imports: dict[str, dict[str, Any]],
    told: dict[str, list[Told]],
    rows: dict[str, int],
) -> list[str]:
    """Return what is not as it must be."""
    name, state = one.delivery.name, one.delivery.state
    wrong = []
    if one.code not in one.delivery.codes:
        wrong.append(f"{name}: answered {one.code}, not {one.delivery.codes}.")
    if one.import_id is None:
        return [*wrong, *([f"{name}: there is no import of it."] if state else [])]
    found = imports[one.import_id]
    if found["state"] != state:
        return [*wrong, f"{name}: {found['state']}, not {state or 'refused'}."]
    events = sorted({(event.id, event.kind) for event in told[one.import_id]})
    if sorted(kind for _, kind in events) != sorted(_EVENTS[found["state"]]):
        wrong.append(f"{name}: its events are {[kind for _, kind in events]}.")
    problems = [(p["record"], p["pointer"], p["reason"]) for p in found["problems"]]
    if state == "invalid" and sorted(problems) != sorted(one.delivery.problems):
        wrong.append(f"{name}: its problems are {problems}.")
    if rows[one.import_id] != found["loaded"]:
        wrong.append(f"{name}: {rows[one.import_id]} rows, not {found['loaded']}.")
    return wrong


def _summary(
    sent: list[Sent],
    imports: dict[str, dict[str, Any]],
    told: dict[str, list[Told]],
    rows: dict[str, int],
    wrong: int,
) -> str:
    states = [one["state"] for one in imports.values()]
    kept = sum(state != "malformed" for state in states)
    events = len({event.id for found in told.values() for event in found})
    if wrong:
        return f"[red]{wrong} of these things are not as they must be."
    return (
        f"[green]{len(sent)} files were sent by two companies: {kept} were kept, and "
        f"{states.count('loaded')} of them loaded with {sum(rows.values())} rows, each "
        f"once; the others were refused with a reason. {events} events say so."
    )


def _show_answers(sent: list[Sent]) -> None:
    table = Table("company", "file", "answer", "says")
    for one in sent:
        says = one.said.get("detail") or one.said["state"]
        if one.said.get("repeated"):
            says += ", repeated: it came before"
        answer = f"{one.code} {one.said.get('reason', '')}".strip()
        table.add_row(one.delivery.company, one.delivery.name, answer, says)
    out.print(table)


def _show_imports(
    imports: dict[str, dict[str, Any]],
    told: dict[str, list[Told]],
    rows: dict[str, int],
) -> None:
    table = Table("file", "state", "records", "rows", "events, and where in Kafka")
    for number, found in imports.items():
        events = "\n".join(f"{one.kind}  {one.place}" for one in told[number])
        records, staged = str(found["records"]), str(rows[number])
        table.add_row(found["filename"], found["state"], records, staged, events)
    out.print(table)


def _show_problems(imports: dict[str, dict[str, Any]], tokens: dict[str, str]) -> None:
    table = Table("file", "record", "pointer", "reason", "detail", title="Problems")
    for number, found in imports.items():
        if found["state"] == "malformed":
            continue
        with _client(tokens[found["company"]]) as client:
            page = client.get(f"/imports/{number}/problems").raise_for_status().json()
        for one in page["problems"]:
            detail = one["detail"][:_REASON_WIDTH]
            place = (str(one["record"]), one["pointer"], one["reason"])
            table.add_row(found["filename"], *place, detail)
    out.print(table)


def _show_mart(conn: Connection) -> None:
    names = ("country_code", "founded_year", "companies_cnt", "employees_sum")
    table = Table(*names, "first_name", title="cdm.company_years")
    for row in conn.execute(
        "SELECT country_code, founded_year, companies_cnt, employees_sum, first_name"
        " FROM cdm.company_years ORDER BY country_code, founded_year LIMIT 10"
    ):
        table.add_row(*["" if value is None else str(value) for value in row])
    out.print(table)


def _say(sentence: str) -> None:
    out.rule(f"[bold]{sentence}", align="left")


if __name__ == "__main__":
    sys.exit(main())
