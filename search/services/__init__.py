"""Servers of searches, of the log and of studies, and batch jobs for other schedulers.

mlflow_ui   the log in a browser: MLflow's own pages
serve       the search service: a queue of searches, with MLflow's pages beside it
queue       its searches: who asked for which, whose turn it is, their processes
web         its pages and its API
dashboard   a copy of a study in Optuna's dashboard
stack       PostgreSQL and MLflow's server for a team, on one host
slurm       batch scripts for Slurm, and a RayJob for Kubernetes
"""
