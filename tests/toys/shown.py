"""What MLflow's store holds of one study."""

from mlflow import MlflowClient

from search import paths
from search.tracking import mapping


class Shown:
    """What the store holds of one study."""

    def __init__(self, task="bowl"):
        self.client = MlflowClient(f"sqlite:///{paths.mlflow_database()}")
        self.experiment = self.client.get_experiment_by_name(task)
        runs = self.client.search_runs([self.experiment.experiment_id], max_results=1000)
        self.parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
        self.trials = {int(run.data.tags["trial"]): run for run in children}
        assert len(self.trials) == len(children)

    def curves(self, run):
        return {
            name: [
                (m.step, m.value, m.timestamp) for m in self.client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
        }

    def artifact(self, name):
        run = self.parents[0].info.run_id
        with open(self.client.download_artifacts(run, name), encoding="utf-8") as file:
            return file.read()

    def everything(self):
        """All that is shown of the trials, without the ids of the runs.

        Of an estimate it is the last value: it changes while others train.
        """
        return {
            number: (
                run.info.status,
                run.info.start_time,
                run.info.end_time,
                run.data.params,
                {tag: value for tag, value in run.data.tags.items() if tag != "mlflow.parentRunId"},
                {name: each for name, each in self.curves(run).items() if name not in mapping.ESTIMATE},
                {name: run.data.metrics.get(name) for name in mapping.ESTIMATE},
            )
            for number, run in self.trials.items()
        }
