"""A reload: every layer of some time compared with the one it follows from.

Each layer restores what is missing or wrong and counts the rest as equal: messages
against the broker's, the vault's rows against the messages, the counters of the guests
of that time against the vault (ADR 0015). Repeats and live runs do no harm.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from palate import incidents, marts, readable, vault
from palate.counted import counted
from palate.database import Connection, connect
from palate.engine import Caller, Outcome, plans, progress
from palate.errors import HistoryDiffersError, NotFoundError
from palate.incidents import Kind
from palate.landing import restage
from palate.marts import load_marts
from palate.names import is_feed
from palate.settings import Settings
from palate.sources import Area
from palate.text import in_markdown
from palate.vault import load_vault

MESSAGES = "messages"
VAULT = "vault"


@dataclass(frozen=True)
class Layer:
    """What was found in one layer.

    ``healed`` rows were missing or wrong and are right now, ``differing`` ones are left
    as they are, ``refused`` are messages of this time that are no usable orders.
    """

    name: str
    compared: int
    healed: int
    differing: int
    refused: int
    seconds: float
    counts: dict[str, int]
    examples: list[dict[str, Any]]

    @property
    def corrected(self) -> dict[str, int]:
        """Return how many rows were put right, by table or kind."""
        tables = readable.vault_tables() if self.name == VAULT else set()
        return {
            name: number
            for name, number in self.counts.items()
            if number and (name in tables or name.startswith(("corrected", "healed")))
        }


@dataclass(frozen=True)
class ReloadReport:
    """What a reload found."""

    request: plans.Request
    positions: int
    not_on_broker: int
    layers: list[Layer]
    missing: list[str]

    @property
    def differing(self) -> int:
        """Return how many rows differ and were left as they are."""
        return sum(layer.differing for layer in self.layers)

    @property
    def healed(self) -> int:
        """Return how many rows were corrected."""
        return sum(layer.healed for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "from": self.request.start.isoformat(),
            "to": self.request.end.isoformat(),
            "source": str(self.request.source),
            "positions": self.positions,
            "not_on_broker": self.not_on_broker,
            "healed": self.healed,
            "differing": self.differing,
            "layers": {layer.name: vars(layer) for layer in self.layers},
            "missing_layers": self.missing,
        }

    def markdown(self) -> str:
        """Return the report as markdown."""
        start, end = self.request.start, self.request.end
        lines = [
            f"# History of {start:%F %H:%M} to {end:%F %H:%M} (broker time, UTC)",
            "",
            self._verdict(),
            "",
            "| layer | compared | healed | differ | refused | seconds |",
            "|---|---:|---:|---:|---:|---:|",
            *(
                f"| {one.name} | {one.compared:,} | {one.healed:,} |"
                f" {one.differing:,} | {one.refused:,} | {one.seconds:.1f} |"
                for one in self.layers
            ),
            "",
            f"{self.positions:,} positions; {self.not_on_broker:,} of them are no "
            "longer on the broker, so that STG's copy counts.",
        ]
        for layer in self.layers:
            if healed := layer.corrected:
                parts = ", ".join(f"{name} {n:,}" for name, n in healed.items())
                lines.append(f"- {layer.name}: {parts}")
            lines += [
                f"  - {', '.join(f'{k} {in_markdown(v)}' for k, v in example.items())}"
                for example in layer.examples[:10]
            ]
        return "\n".join(lines)

    def check(self) -> None:
        """Raise if rows differ that are never overwritten.

        :raises HistoryDiffersError: once all else is right
        """
        if self.differing:
            raise HistoryDiffersError(self.alarm)

    @property
    def alarm(self) -> str:
        """Return the alarm's text about rows that differ."""
        of_broker = any(one.differing and one.name == MESSAGES for one in self.layers)
        page = "Messages differ from the broker" if of_broker else "The vault differs"
        return (
            f"{counted(self.differing, 'row differs', 'rows differ')} from the layer "
            "before. What differs was left as it is; all else is right. The tasks' "
            f"logs name it; see docs/operations.md, '{page}'."
        )

    def _verdict(self) -> str:
        sentences = []
        if self.missing:
            sentences.append(f"**Not done: {', '.join(self.missing)}.**")
        if self.differing:
            sentences.append(
                f"**Alarm: {counted(self.differing, 'row differs', 'rows differ')}. "
                "What differs was left as it is; the tasks' logs name it.**"
            )
        if self.healed:
            healed = counted(self.healed, "missing or wrong row")
            sentences.append(f"Put right: {healed}.")
        return " ".join(sentences) or "Every layer is equal to the one before it."


def run(
    settings: Settings, area: Area, caller: Caller, layer: str, request: plans.Request
) -> Outcome:
    """Reload one layer; the messages first, since they determine the positions.

    :param layer: ``messages``, ``vault``, or the name of a mart
    :raises NotFoundError: if the messages were not reloaded before
    """
    start = time.monotonic()
    if layer == MESSAGES:
        outcome = restage.run(settings, area, caller, request).outcome
    else:
        with connect(settings) as conn:
            _plan(conn, caller)
        if layer == VAULT:
            outcome = vault.stage.reload(settings, area, caller)
        else:
            outcome = marts.stage.reload(settings, layer, caller)
    note(settings, area, caller, layer, outcome, time.monotonic() - start)
    progress.end(settings, caller, outcome.stage)
    return outcome


def run_all(
    settings: Settings, area: Area, caller: Caller, request: plans.Request
) -> ReloadReport:
    """Reload all layers of an area, the marts in parallel; return what was found.

    Layers that this caller has done before are not done again.
    """

    def reload_layer(layer: str) -> None:
        with connect(settings) as conn:
            plan = plans.planned(conn, caller)
            is_done = plan and progress.is_finished(conn, plan, stage_of(area, layer))
        if not is_done:
            run(settings, area, replace(caller, task_id=layer), layer, request)

    for layer in (MESSAGES, VAULT):
        reload_layer(layer)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(reload_layer, name) for name in layers(area)[2:]]:
            done.result()
    return report(settings, area, caller)


def interrupted(settings: Settings, caller: Caller, request: plans.Request) -> Caller:
    """Return the caller of the newest unfinished reload of a request.

    :param caller: only reloads of its kind count
    :raises NotFoundError: if there is none
    """
    with connect(settings) as conn:
        row = conn.execute(
            "SELECT run_id FROM ops.reloads WHERE dag_id = %s AND finished_dt IS NULL"
            " AND (from_dt, to_dt, source) = (%s, %s, %s)"
            " ORDER BY planned_dt DESC LIMIT 1",
            (caller.dag_id, request.start, request.end, request.source),
        ).fetchone()
    if row is None:
        message = (
            f"There is no reload of {request.start:%F %T} to {request.end:%F %T}, "
            f"source {request.source}, that did not end. Leave --resume out."
        )
        raise NotFoundError(message)
    return replace(caller, run_id=row[0])


def note(
    settings: Settings,
    area: Area,
    caller: Caller,
    layer: str,
    outcome: Outcome,
    seconds: float,
) -> None:
    """Record what was found in one layer, by all attempts that it took.

    :param outcome: of the last attempt, which has the examples
    :param seconds: how long the last attempt took
    """
    with connect(settings) as conn:
        plan = _plan(conn, caller)
        counts = progress.counts(conn, plan, outcome.stage)
        if layer == MESSAGES:
            compared, healed = counts["compared"], counts["healed"]
        elif layer == VAULT:
            compared = counts["documents"]
            # Refused now: refused before, but no longer recorded.
            tables = load_vault(area.name).tables
            healed = counts["refused"] + sum(counts[name] for name in tables)
        else:
            compared = counts["compared"]
            corrected = [name for name in counts if name.startswith("corrected")]
            healed = sum(counts[name] for name in corrected)
        conn.execute(
            "INSERT INTO ops.reload_layers (reload_id, layer, compared, healed,"
            " differing, refused, seconds, counts, examples)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (reload_id, layer) DO UPDATE SET"
            " compared = excluded.compared, healed = excluded.healed,"
            " differing = excluded.differing, refused = excluded.refused,"
            " seconds = excluded.seconds, counts = excluded.counts,"
            " examples = excluded.examples, finished_dt = clock_timestamp()",
            (
                plan.reload_id,
                layer,
                compared,
                healed,
                counts["differing"],
                _refused(conn, plan) if layer == VAULT else 0,
                round(seconds, 3),
                Jsonb(dict(counts)),
                Jsonb(json.loads(json.dumps(outcome.examples, default=str))),
            ),
        )


def report(settings: Settings, area: Area, caller: Caller) -> ReloadReport:
    """Return what a run found, and keep it as markdown in ``ops.reloads``."""
    with connect(settings) as conn:
        plan = _plan(conn, caller)
        found = _report(conn, area, plan)
        conn.execute(
            "UPDATE ops.reloads SET report = %s, finished_dt = clock_timestamp()"
            " WHERE reload_id = %s",
            (found.markdown(), plan.reload_id),
        )
        _keep_incident(conn, area, found)
    return found


def _keep_incident(conn: Connection, area: Area, found: ReloadReport) -> None:
    """Open the incident of a history that differs; end those that it covers."""
    start, end = found.request.start, found.request.end
    if found.differing:
        name = area.stage(f"{start.isoformat()}/{end.isoformat()}")
        incidents.begin(conn, Kind.HISTORY, name, found.alarm)
    elif not found.missing and found.request.source != plans.ReadFrom.STG:
        for one in incidents.open_incidents(conn):
            if one.kind is Kind.HISTORY:
                *_, low, high = one.subject.split("/")
                is_own = one.subject == area.stage(f"{low}/{high}")
                since, until = map(datetime.fromisoformat, (low, high))
                if is_own and start <= since and until <= end:
                    incidents.end(conn, Kind.HISTORY, one.subject)


def _report(conn: Connection, area: Area, plan: plans.Plan) -> ReloadReport:
    start, end, source = conn.execute(
        "SELECT from_dt, to_dt, source FROM ops.reloads WHERE reload_id = %s",
        (plan.reload_id,),
    ).fetchone() or (datetime.min, datetime.min, "auto")
    found = recorded(conn, plan.reload_id)
    names = layers(area)
    positions = _size(plan)
    return ReloadReport(
        request=plans.Request(start, end, source),
        positions=positions,
        not_on_broker=positions - sum(len(item) for item in plan.compared),
        layers=[found[name] for name in names if name in found],
        missing=[name for name in names if name not in found],
    )


def recorded(conn: Connection, reload_id: int) -> dict[str, Layer]:
    """Return what a reload has found so far, by layer."""
    rows = conn.execute(
        "SELECT layer, compared, healed, differing, refused,"
        " seconds::float8, counts, examples"
        " FROM ops.reload_layers WHERE reload_id = %s",
        (reload_id,),
    ).fetchall()
    return {row[0]: Layer(*row) for row in rows}


def layers(area: Area) -> list[str]:
    """Return the layers of an area: messages, vault, then its marts."""
    return [MESSAGES, VAULT, *load_marts(area.name)]


def stage_of(area: Area, layer: str) -> str:
    """Return the stage in the ledger that reloads a layer."""
    if layer == MESSAGES:
        return restage.stage_of(area)
    return vault.stage.reload_stage(area) if layer == VAULT else f"mart:{layer}"


def _size(plan: plans.Plan) -> int:
    return sum(len(item) for item in plan.ranges if not is_feed(item.log.topic))


def _plan(conn: Connection, caller: Caller) -> plans.Plan:
    plan = plans.planned(conn, caller)
    if plan is None:
        message = (
            f"Run {caller.run_id} has not compared the messages yet, and so does not "
            "know which positions it is about. Clear its task `messages` with all that "
            "follow."
        )
        raise NotFoundError(message)
    return plan


def _refused(conn: Connection, plan: plans.Plan) -> int:
    number = 0
    for item in plan.ranges:
        (count,) = conn.execute(
            "SELECT count(*) FROM stg.rejected_messages WHERE topic = %s"
            " AND epoch = %s AND kafka_partition = %s AND kafka_offset >= %s"
            " AND kafka_offset < %s",
            (
                item.log.topic,
                item.log.epoch,
                item.log.partition,
                item.start,
                item.end,
            ),
        ).fetchone() or (0,)
        number += count
    return number
