"""An area's DAGs, from its ``area.yaml``; and the tasks that follow the vault.

A DAG file of an area is its docstring and one call: ``area_dag("reviews",
doc=__doc__)``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, chain, task

from palate.sources import Area
from palate_airflow import assets
from palate_airflow.forms import rebuild
from palate_airflow.forms import reconcile as comparison
from palate_airflow.forms.limits import limits_form
from palate_airflow.forms.reload import reload_form, reload_layer, write_report
from palate_airflow.tasks import DAG_DEFAULTS, run_drain, run_stage

_HISTORY = """Reload a week of history of this area.

One run is one week by broker time: the one before the tick, the form's from and to, or
a backfill's; every layer is compared and healed, beside live runs. `report` has the
report in its log and as XCom.

**When it fails:** nothing is harmed; the next attempt goes on where it was, and a
cleared layer that was done is compared again. A red `report` means that rows differ
which are never overwritten: the tasks' logs name them.
"""


def area_dag(name: str, *, doc: str) -> DAG | None:
    """Return the DAG that takes an area's messages from Kafka to its marts.

    An area with a prefix also gets a weekly DAG that reloads its history; the first
    area has one in a file of its own, beside the rebuild of all areas.

    :return: None if the area is off (``PALATE_AREAS``)
    :raises DefinitionError: if the area can't be read
    """
    area = assets.area(name)
    if area is None:
        return None
    if area.prefix:
        _history_dag(area)
    with DAG(
        area.dag,
        schedule=assets.waiting_or_five_minutes(area),
        # With 1, retries and a backfill's runs would delay live ones (ADR 0007).
        max_active_runs=300,
        params=limits_form(assets.topics_of(area)),
        doc_md=doc,
        tags=[area.label],
        **DAG_DEFAULTS,
    ) as found:
        _stream(area)
    return found


def after_vault(
    area: Area, trigger_rule: str = "all_success"
) -> tuple[list[Any], list[Any]]:
    """Create a task for each mart, then copies, tags and publish where there are any.

    :param trigger_rule: of the marts
    :return: the marts' tasks, and those after them
    """

    @task(inlets=assets.counted_from(area), trigger_rule=trigger_rule)
    def mart(stage: str) -> Any:
        """Count what has changed, and only that."""
        return run_stage(stage)

    @task(
        inlets=[*assets.marts([area.name]).values(), assets.TAG_RULES],
        outlets=[assets.TAGS],
    )
    def tags() -> Any:
        """Add and remove the tags that changed counters and rules call for."""
        return run_stage("tags")

    # The next run sends it: more retries would only delay the end of this one.
    @task(inlets=assets.published_from(area), outlets=assets.published(), retries=1)
    def publish() -> Any:
        """Send changes to the app and other consumers; what can't be sent waits."""
        return run_stage("publish")

    # The next run tries again, as with what is published.
    @task(retries=1)
    def copy(stage: str) -> Any:
        """Write to the copy in another database what has changed in its mart."""
        return run_stage(stage)

    tables = assets.marts([area.name])
    by_name = {
        name: mart.override(task_id=name, outlets=[asset])(f"mart:{name}")
        for name, asset in tables.items()
    }
    counted = list(by_name.values())
    sent = [one() for one in (tags, publish) if one.function.__name__ in area.stages]
    chain(counted, *sent)
    for name, asset in assets.copies(area).items():
        lineage = {"inlets": [tables[name]], "outlets": [asset]}
        copied = copy.override(task_id=f"copy_{name}", **lineage)(f"copy:{name}")
        by_name[name] >> copied
        sent.append(copied)
    return counted, sent


def _stream(area: Area) -> None:
    @task(
        inlets=[assets.topic(name) for name in assets.topics_of(area)],
        outlets=[assets.MESSAGES],
    )
    def drain() -> Any:
        """Stage the messages that wait, byte by byte, with their positions."""
        return run_drain(area.name)

    @task(inlets=[assets.MESSAGES], outlets=[assets.MESSAGES], trigger_rule="all_done")
    def records() -> Any:
        """Judge the files that events tell of, and stage their records."""
        return run_stage(area.stage("records"))

    # A drain also fails when one partition can't be read; the others are staged.
    @task(
        inlets=[assets.MESSAGES],
        outlets=[assets.vault(area)],
        trigger_rule="all_done",
    )
    def vault() -> Any:
        """Parse what is staged, load the vault, and refuse invalid messages."""
        return run_stage(area.vault)

    # The next run tries again: more retries would only delay the marts.
    @task(inlets=[assets.DICTIONARIES], outlets=[assets.DICTIONARY_ENTRIES], retries=1)
    def dictionaries() -> Any:
        """Ask Redis for unknown guests and restaurants; load them."""
        return run_stage("dictionaries")

    drained, loaded = drain(), vault()
    looked_up = [dictionaries()] if "dictionaries" in area.stages else []
    counted, sent = after_vault(area, trigger_rule="all_done_min_one_success")
    judged = [records()] if "records" in area.stages else []
    chain(drained, *judged, loaded)
    loaded >> [*looked_up, *counted]
    for one in looked_up:
        one >> counted
    if any(source.clock for source in area.sources):

        @task(outlets=[assets.SNAPSHOTS], retries=1)
        def new_snapshot() -> Any:
            """Skipped unless a snapshot has come that was not compared yet."""
            return comparison.skip_without_snapshot(area.name)

        loaded >> new_snapshot()
    end = EmptyOperator(task_id="all_loaded", doc_md="Red when a task before it is.")
    [drained, *judged, *looked_up, *(counted or [loaded]), *sent] >> end


def _history_dag(area: Area) -> None:
    with DAG(
        area.history_dag,
        schedule=CronTriggerTimetable(
            "0 3 * * 1", timezone="UTC", interval=rebuild.WEEK
        ),
        max_active_runs=1,
        params=reload_form(),
        doc_md=_HISTORY,
        tags=[area.label, "maintenance"],
        **DAG_DEFAULTS | {"dagrun_timeout": rebuild.WEEK},
    ):
        messages, *layers = history_layers(area)
        messages >> layers[0] >> layers[1:] >> history_report(area)


def history_layers(area: Area) -> list[Any]:
    """Create the tasks of a reload of an area: messages, vault, then each mart."""
    # The next attempt at a layer that was killed, or timed out, goes on where it was.
    topics = [assets.topic(name) for name in assets.topics_of(area)]

    @task(inlets=topics, max_active_tis_per_dag=1, **rebuild.PATIENT)
    def messages() -> Any:
        """Compare what is staged with the broker; put back what is lost."""
        return reload_layer(area.name, "messages")

    # A backfill's runs wait here, and not in a lock.
    @task(max_active_tis_per_dag=1, **rebuild.PATIENT)
    def layer(name: str) -> Any:
        """Heal and compare a layer: the vault's rows, or a mart's."""
        return reload_layer(area.name, name)

    names = ("vault", *assets.marts([area.name]))
    return [messages(), *(layer.override(task_id=name)(name) for name in names)]


def history_report(area: Area) -> Any:
    """Create the task that ends a reload."""

    @task(trigger_rule="all_done")
    def report() -> Any:
        """Report what was found; red if something differs that is left as it is."""
        return write_report(area.name)

    return report()
