"""What users write in tasks, from the first draw to the log: it works, or one trial says why it did not."""

import json

import optuna
import pytest
from logs import log_store
from proposals import fixed
from stores import here

from search import tasks
from search.cli.app import main
from search.coordinator import MAX_INFEASIBLE, search
from search.errors import StudyConflict, TrialbookError
from search.executors.inline import Inline
from search.maintenance import audit
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy

X = 'Config(x=trial.suggest_float("x", 0, 1))'
FIELDS = "    epochs: int = 4"
CONDITIONAL = """layers = trial.suggest_int("layers", 1, 3)
    return Config(
        x=trial.suggest_float("x", 0, 1),
        layers=layers,
        width2=trial.suggest_int("width2", 4, 64) if layers > 1 else 0,
        width3=trial.suggest_int("width3", 4, 64) if layers > 2 else 0,
    )"""
CONDITIONAL_FIELDS = "    layers: int = 1\n    width2: int = 0\n    width3: int = 0\n"
REJECTS = "low, high = trial.suggest_int('low', 1, 9), trial.suggest_int('high', 1, 9)\n"
REJECTS += "    if low >= high:\n        raise ValueError(f'low {low} is not below high {high}')\n"
REJECTS += "    return Config(low=low, high=high)"
REJECTS_FIELDS = "    low: int = 1\n    high: int = 5\n"

NEVER_ENOUGH = (
    "TOLERANCE = 1e-6\n",
    "TOLERANCE = 1e-6\nMEANINGFUL_DIFFERENCE = 1e-9\n",
)  # no search stops by itself


@pytest.fixture
def conditional(write_task):
    changes = (f"return {X}", CONDITIONAL), (FIELDS, CONDITIONAL_FIELDS + FIELDS), NEVER_ENOUGH
    return write_task("conditional", *changes)


@pytest.fixture
def rejects(write_task):
    return write_task("rejects", (f"return {X}", REJECTS), (FIELDS, REJECTS_FIELDS + FIELDS))


def ended(study, trials):
    """Search until there are so many trials; all of them."""
    with Inline(study) as trainers:
        search(study, trainers, trials=trials)
    return list(study.trials())


def test_a_conditional_space_is_searched_modelled_reported_and_audited(conditional, database, capsys):
    command = ["--task", "conditional", "--trials", "45", "--trainers", "inline", "--confirm", "0"]
    assert main(["search", *command]) == 0
    trials = list(StoredStudy.read(here(), "conditional-builtin").trials())
    assert len(trials) == 45 and sum(trial.proposal.startswith("TPE") for trial in trials) >= 10
    for trial in trials:
        searched = ["layers", "x", "width2", "width3"][: 1 + trial.config["layers"]]
        assert sorted(trial.params) == sorted(searched)
    assert main(["report", "--task", "conditional"]) == 0
    said = capsys.readouterr().out
    assert "width3" in said and "4 to 64" in said
    assert audit.audit(here(), "conditional-builtin", log_store()) == []


def test_a_draw_that_its_task_rejects_is_infeasible_and_the_search_goes_on(rejects):
    with open_study(here(), rejects) as study:
        trials = ended(study, 20)
        assert study.notes[0].startswith("3") and "of 64 random draws are infeasible" in study.notes[0]
    infeasible = [trial for trial in trials if trial.state == "infeasible"]
    assert len(trials) == 20 and 5 <= len(infeasible) <= 15
    for trial in infeasible:
        low, high = trial.params["low"], trial.params["high"]
        assert low >= high and trial.reason == f"space: ValueError: low {low} is not below high {high}"
        assert trial.config["low"] == low and trial.curve == [] and trial.weights is None
    assert all(t.params["low"] < t.params["high"] for t in trials if t.state == "completed")
    assert [trial.draw for trial in trials] == list(range(20))


def test_a_space_that_hardly_holds_a_configuration_ends_the_search_with_the_reason(write_task):
    body = (
        'x = trial.suggest_float("x", 0, 1)\n    if x not in (0.5, 1e-9):\n        raise ValueError("never")'
    )
    hardly = f"{body}\n    return Config(x=x)"
    with pytest.raises(TrialbookError, match="rejected all of 64 random draws: ValueError: never"):
        open_study(here(), write_task("hardly", (f"return {X}", hardly)))


def test_draws_that_are_rejected_again_and_again_end_the_search(write_task):
    body = "if TIRED:\n        raise ValueError('no more')\n    return " + X
    task = write_task("tired", (f"return {X}", body), ("def space", "TIRED = []\n\n\ndef space"))
    with open_study(here(), task) as study:
        task.TIRED.append(True)
        with pytest.raises(TrialbookError, match=f"{MAX_INFEASIBLE} draws in a row .* ValueError: no more$"):
            ended(study, 1000)
        assert [trial.state for trial in study.trials()] == ["infeasible"] * MAX_INFEASIBLE


def test_a_default_outside_its_range_is_said_and_the_first_trial_takes_the_nearest_value(
    write_task, database, capsys
):
    write_task("outside", ("x: float = 0.5", "x: float = 7"))
    assert (
        main(["search", "--task", "outside", "--trials", "2", "--trainers", "inline", "--confirm", "0"]) == 0
    )
    note = "Note: the default x 7 is outside 0.0 to 1.0: the first trial takes 1.0."
    assert note in capsys.readouterr().out.splitlines()
    assert StoredStudy.read(here(), "outside-builtin").trial(0).config["x"] == 1.0


def test_ranges_of_a_rare_branch_are_added_when_it_is_drawn(write_task):
    rare = 'x = trial.suggest_float("x", 0, 1)\n    y = trial.suggest_int("y", 1, 9) if x > 0.999 else 1\n'
    task = write_task(
        "rare", (f"return {X}", f"{rare}    return Config(x=x, y=y)"), (FIELDS, f"    y: int = 1\n{FIELDS}")
    )
    with open_study(here(), task) as study:
        assert list(study.ranges()) == ["x"]
        study.start(fixed({"x": 0.9995}, 0))
        assert tasks.describe(study.ranges()["y"]) == "1 to 9"
    with open_study(here(), task) as study:
        assert list(study.ranges()) == ["x", "y"]


def test_a_space_without_hyperparameters_trains_the_defaults_on_other_seeds(write_task, database):
    with open_study(here(), write_task("empty", (X, "Config()"))) as study:
        trials = ended(study, 4)
    assert [trial.params for trial in trials] == [{}] * 4
    assert len({trial.config["seed"] for trial in trials}) == 4


def test_numpy_choices_are_searched_as_plain_numbers(write_task):
    choices = (
        "import numpy\n    return Config(batch=trial.suggest_categorical('batch', 2 ** numpy.arange(4, 8)))"
    )
    task = write_task("choices", (f"return {X}", choices), (FIELDS, f"    batch: int = 16\n{FIELDS}"))
    with open_study(here(), task) as study:
        trials = ended(study, 6)
    assert {trial.config["batch"] for trial in trials} <= {16, 32, 64, 128}
    assert StoredStudy.read(here(), "choices-builtin").trial(0).config["batch"] == 16


def test_a_network_whose_weights_cannot_be_counted_is_searched(write_task, database):
    lazy = write_task("lazy", ("    return nn.Linear(1, 1)", "    return nn.LazyLinear(1)"))
    with open_study(here(), lazy) as study:
        trials = ended(study, 4)
        assert [trial.weights for trial in trials] == [None] * 4
        assert study.best().score == min(trial.score for trial in study.completed())


def test_a_direction_that_is_corrected_asks_what_its_old_trials_are_to_be(write_task):
    with open_study(here(), write_task("turned"), seed=1) as study:
        before = ended(study, 5)
    maximize = ('"err", "minimize"', '"err", "maximize"')
    with pytest.raises(
        StudyConflict, match=r"the (code and )?score of task 'turned' changed .* OLD=supersede"
    ):
        open_study(here(), write_task("turned", maximize))
    with open_study(here(), write_task("turned", maximize), old="supersede") as study:
        after = ended(study, 8)[len(before) :]
        assert study.sign == 1 and {trial.kind for trial in study.trials()} >= {"superseded"}
        best = max(trial.score for trial in after if trial.score is not None)
        assert study.best().score == best
    assert StoredStudy.read(here(), "turned-builtin").description.direction == "maximize"


def test_another_metric_is_another_study(write_task):
    with open_study(here(), write_task("renamed")) as study:
        ended(study, 3)
    before = here().path("renamed-builtin").read_bytes()
    renamed = ('"err", "minimize"', '"acc", "maximize"'), ("validation_err", "validation_acc")
    for old in (None, "supersede", "void"):
        with pytest.raises(StudyConflict, match="by 'err', and task 'renamed' now scores 'acc': choose"):
            open_study(here(), write_task("renamed", *renamed), old=old)
    assert here().path("renamed-builtin").read_bytes() == before
    assert StoredStudy.read(here(), "renamed-builtin").best().score > 0


def test_what_another_program_enqueued_is_read_and_taken_up_by_the_next_search(write_task, database):
    with open_study(here(), write_task("enqueued")) as study:
        ended(study, 4)
    backend = optuna.storages.journal.JournalFileBackend(str(here().path("enqueued-builtin")))
    storage = optuna.storages.JournalStorage(backend)
    optuna.load_study(study_name="enqueued-builtin", storage=storage).enqueue_trial({"x": 0.125})
    assert [trial.number for trial in StoredStudy.read(here(), "enqueued-builtin").trials()] == [0, 1, 2, 3]
    with open_study(here(), tasks.find("enqueued")) as study:
        trials = ended(study, 6)
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4, 5]
    assert (trials[4].params, trials[4].proposal) == ({"x": 0.125}, "enqueued by another program")
    assert [trial.draw for trial in trials] == list(range(6))


def twins(draws):
    """How many of these draws have another one near."""
    return sum(
        any(abs(a["x"] - b["x"]) < 0.03 and abs(a["y"] - b["y"]) <= 3 for b in draws if b is not a)
        for a in draws
    )


@pytest.mark.integration
def test_what_trains_is_seen_by_the_sampler_so_that_parallel_draws_differ(bowl, tell):
    with open_study(here(), bowl, seed=3) as study:
        for x in range(40):
            tell(study, (x / 40 - 0.3) ** 2 + ((x * 7) % 40 / 40 - 0.2) ** 2, x=x / 40, y=x * 7 % 40)
        unseen = []
        for _ in range(24):
            unseen.append(Strategy(study).ask())
            study.tell(unseen[-1].number, "failed", "told so")
        seen = [Strategy(study).ask().params for _ in range(24)]
    print(twins([trial.params for trial in unseen]), twins(seen))
    assert twins(seen) <= twins([trial.params for trial in unseen]) / 2


def test_a_record_that_could_not_be_read_again_is_not_written(bowl):
    entry = {"epoch": 1, "seconds": 0.1, "time": 1e9, "train_loss": 1.0, "validation_loss": 1.0}
    with open_study(here(), bowl) as study:
        number = Strategy(study).ask().number
        before = here().path(study.name).read_bytes()
        for wrong in ({}, {"validation_height": "high"}, {"validation_height": 1.0, "more": [1]}):
            with pytest.raises(ValueError, match="epoch 1(: validation_height)? is"):
                study.report(number, entry | {"validation_height": None} | wrong)
        assert here().path(study.name).read_bytes() == before
        study.report(number, entry | {"validation_height": 2.0})
    assert len(StoredStudy.read(here(), study.name).trial(number).curve) == 1


def test_a_smaller_number_of_trials_than_had_begun_is_no_violation(bowl, database):
    with open_study(here(), bowl) as study:
        asked = [Strategy(study).ask().number for _ in range(5)]
        study.set_budget(3, None)
        for number in asked:
            study.tell(number, "failed", "told so")
        written = json.loads(json.dumps(study.budget()))
    assert written == {"trials": 3, "seconds": None, "begun": 5}
    assert [
        violation for violation in audit.audit(here(), study.name, log_store()) if violation.invariant == 7
    ] == []
