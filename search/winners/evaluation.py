"""Score a confirmed winner on the test data. The study counts each evaluation."""

import data
from search.errors import NoWinner, TrialbookError
from search.strategy.winner import Candidate
from search.study.opening import require_same_code
from search.study.study import Study
from search.trainers.messages import GO_ON
from search.trainers.trainer import Trainer


def evaluate_on_test(study: Study, candidate: Candidate) -> tuple[float, float, int]:
    """Train the winner once more and score it on the test data. The study counts the evaluation.

    Returns the score, its standard error, and the number of evaluations so far. Raises NoWinner if the
    candidate is not confirmed: until then the test data stay closed. Raises StudyConflict if the code has
    changed since; TrialbookError if the training fails, or does not repeat the trial's.
    """
    trial, task = candidate.trial, study.task
    if not candidate.confirmed:
        raise NoWinner(f"the winner of study {study.name!r} is unconfirmed: its test data stay closed")
    require_same_code(study, trial)
    test = task.DATA.load(data.read(study.data_path), "test")
    config = task.Config(**trial.config)
    (value, _), score = Trainer(task, study.data_path).test(config, lambda entry: GO_ON, test)
    if abs(value - candidate.first_score) > task.TOLERANCE:
        raise TrialbookError(f"trial {trial.number} scored {trial.score:.5g}, trained again {value:.5g}")
    return *score, study.add_test_evaluation(trial, score)
