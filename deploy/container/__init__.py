"""What runs beside Airflow in containers: secrets and settings made at first start."""
