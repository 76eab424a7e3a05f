"""Reviews of restaurants, from Kafka to the vault and the marts."""

from palate_airflow.dag_factory import area_dag

area_dag("reviews", doc=__doc__)
