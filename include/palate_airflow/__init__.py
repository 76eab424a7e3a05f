"""All that binds the library to Airflow: DAG files and plugins import from here."""
