"""Servers of the log and of studies, and batch jobs for other schedulers.

mlflow_ui   the log in a browser: MLflow's own pages
dashboard   a copy of a study in Optuna's dashboard
stack       PostgreSQL and MLflow's server for a team, on one host
slurm       batch scripts for Slurm, and a RayJob for Kubernetes
"""
