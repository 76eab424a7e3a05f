"""The executor's path in ``[core] executor``."""

from palate_airflow.prompt_executor import PromptExecutor

__all__ = ["PromptExecutor"]
