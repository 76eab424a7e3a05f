"""The bell's path for Airflow, which stores it with the trigger."""

from palate_airflow.bell import KafkaBell

__all__ = ["KafkaBell"]
