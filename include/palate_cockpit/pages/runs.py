"""What runs did: the tabs of a DAG, a run, a task and a task instance in Airflow."""

from palate.reads import ledger
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Session

pages = Pages("operations")


@pages.page("/dag", "dag.html")
def show_dag(
    conn: Session, dag_id: str, task_id: str = "", before: int | None = None
) -> ledger.Dag:
    """List the last runs of a DAG, or of one task of it, each summed."""
    return ledger.dag(conn, dag_id, task_id=task_id or None, before=before)


@pages.page("/run", "run.html")
def show_run(conn: Session, dag_id: str, run_id: str) -> ledger.Run:
    """Show what a run did."""
    return ledger.run(conn, dag_id, run_id)


@pages.page("/task", "run.html")
def show_task(
    conn: Session, dag_id: str, run_id: str, task_id: str, map_index: str = ""
) -> ledger.Run:
    """Show what a task instance did.

    :param map_index: what isn't a number, as Airflow leaves it for a task that isn't
        mapped, means all
    """
    number = int(map_index) if map_index.lstrip("-").isdecimal() else None
    return ledger.run(conn, dag_id, run_id, task_id=task_id, map_index=number)
