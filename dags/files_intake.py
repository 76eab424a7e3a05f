"""Take the files that partners have sent from the store to STG, the vault and the mart.

It is there only if `PALATE_AREAS` names `files`. A run starts within seconds when an
event waits (the bell), every five minutes in any case, manually, or in a backfill.

**When it fails:** nothing is lost or counted twice. The next run goes on where this one
stopped. A file is judged once; what its schema refuses is judged again by
`palate files replay`. The end of the failed task's log says what to do.
"""

from palate_airflow.dag_factory import area_dag

area_dag("files", doc=__doc__)
