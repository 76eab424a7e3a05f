"""Take the orders that wait in Kafka to the marts and the tags.

A run starts within seconds when a message waits (the bell), every five minutes in any
case, manually, or in a backfill, which also compares the broker times of its interval
with STG and puts back what is missing. Log, XCom and asset event say what a task did.

**When it fails:** nothing is lost or counted twice. The next run goes on where this one
stopped; a cleared task does its own work again. The end of the failed task's log says
what to do. While Redis is down `dictionaries` fails, the marts load, and names follow.
"""

from palate_airflow.dag_factory import area_dag

area_dag("food", doc=__doc__)
