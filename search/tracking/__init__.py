"""The log: every trial as an MLflow run. A projection of the study, which stays the truth.

    client              where the log lies: a store on this machine or a server, and what differs between them
    mapping             a Trial and a study as tags, hyperparameters, metrics and notes: pure functions
    projection          keeps the log of one study in step with the study
    background          the thread that does so while a search runs
    descriptions        a task and a study in words, and the view of trials that MLflow opens
    log_names           names and texts that MLflow takes
    artifact_locations  where a local log's artifacts lie, also after the project was moved
    writers             write runs: by public calls, or straight into the tables of a local log

Data flows one way: coordinator -> `Background` -> `Projection`, which turns a Trial into entities of MLflow's
(`mapping`) and hands them to the writer of a `TrackingStore`. The command line or the Python API chooses the
store once, by `chosen`, and passes it down. Nothing here imports reports: the files that the log keeps of a
study are passed in.
"""

import os

# MLflow reads these when it is imported, which is later.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # would make a run twice; `Background` retries

from search.tracking.client import TrackingStore, chosen

__all__ = ["TrackingStore", "chosen"]
