"""One row per experiment, metric and variant: the tests of etl.statistics.experiments over what SQL has added up."""

from etl.statistics import experiments


def model(dbt, session):
    """Read the arms and what their persons did, return the comparisons."""
    dbt.config(materialized="in_place_table")
    arms = dbt.ref("int_experiment_arms").to_arrow_table().to_pylist()
    figures = dbt.ref("int_experiments_measured").to_arrow_table().to_pylist()
    declared = dbt.ref("experiment_metrics").to_arrow_table().to_pylist()
    return experiments.compare(arms, figures, declared)
