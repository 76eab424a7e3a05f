"""Take the changes of the airline's tables from Kafka to the vault and the mart.

It is there only if `PALATE_AREAS` names `flights`. A run starts within seconds when a
message waits (the bell), every five minutes in any case, manually, or in a backfill.

**When it fails:** nothing is lost or counted twice. The next run goes on where this one
stopped; a cleared task does its own work again. The end of the failed task's log says
what to do.
"""

from palate_airflow.dag_factory import area_dag

area_dag("flights", doc=__doc__)
