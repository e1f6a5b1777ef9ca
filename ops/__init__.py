"""Runs the embedded Airflow and drives the DAGs; knows nothing of logs or marts."""
