"""The log: every trial as an MLflow run."""
