"""Where Airflow finds the bell: it stores this path with the trigger."""

from palate_airflow.bell import KafkaBell

__all__ = ["KafkaBell"]
