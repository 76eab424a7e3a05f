"""Where Airflow finds the executor: ``[core] executor`` has this path."""

from palate_airflow.prompt_executor import PromptExecutor

__all__ = ["PromptExecutor"]
