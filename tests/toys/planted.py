"""What can be wrong with the study `audited` and its log, and how each of it is planted."""

import json
import sqlite3
from contextlib import closing

from stores import here

from search import paths

TOKEN = "ghp_" + "a1B2" * 9


def in_log(statement, *values):
    """Change the log behind its back."""
    with closing(sqlite3.connect(paths.mlflow_database())) as database, database:
        assert database.execute(statement, values).rowcount


def in_journal(change):
    """Change the study's records behind its back: `change(records)`."""
    path = here().path("audited")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    change(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def attribute(records, name, trial):
    """The record that gave a trial an attribute."""
    return next(r for r in records if r.get("trial_id") == trial and name in r.get("user_attr", ()))


def abouts(records):
    return [record["user_attr"]["about"] for record in records if "about" in record.get("user_attr", ())]


def run_of(trial):
    return f"(SELECT run_uuid FROM tags WHERE key = 'trial' AND value = '{trial}')"


def append_to(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.write(text)


def change_script(old, new):
    path = paths.frozen("bowl")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def tell_late(records):
    """The last trial begins a draw that another has done."""
    last = abouts(records)[-1]
    last.update(confirms=None, repeat=None, draw=0, retry_of=None)


def forget_retry(records):
    about = next(about for about in abouts(records) if about.get("retry_of") is not None)
    about |= {"retry_of": None}


def never_ended(records):
    """What the last trial ended with is lost."""
    ends = [record for record in records if record["op_code"] == 6]  # Optuna's SET_TRIAL_STATE_VALUES
    records.remove(ends[-1])


def infinite(records):
    ends = [record for record in records if record["op_code"] == 6 and record.get("values")]
    ends[-1]["values"] = [float("inf")]


PLANTED = {
    "a run too many": (1, lambda: in_log("UPDATE tags SET value = '3' WHERE key = 'trial' AND value = '4'")),
    "a run of no trial": (
        1,
        lambda: in_log("UPDATE tags SET value = '99' WHERE key = 'trial' AND value = '4'"),
    ),
    "no log": (1, lambda: paths.mlflow_database().unlink()),
    "a status": (2, lambda: in_log(f"UPDATE runs SET status = 'FAILED' WHERE run_uuid = {run_of(0)}")),
    "a state": (
        2,
        lambda: in_log("UPDATE tags SET value = 'failed' WHERE key = 'state' AND value = 'pruned'"),
    ),
    "a hyperparameter": (
        3,
        lambda: in_log(f"UPDATE params SET value = value + 1 WHERE key = 'y' AND run_uuid = {run_of(0)}"),
    ),
    "a hyperparameter of the study": (3, lambda: in_journal(lambda r: abouts(r)[1]["config"].update(y=51))),
    "an epoch twice": (
        4,
        lambda: in_log(
            "INSERT INTO metrics SELECT key, value, timestamp + 1, run_uuid, step, is_nan FROM metrics"
            f" WHERE key = 'train_loss' AND step = 1 AND run_uuid = {run_of(1)}"
        ),
    ),
    "an epoch lost": (
        4,
        lambda: in_log(
            f"DELETE FROM metrics WHERE key = 'train_loss' AND step = 1 AND run_uuid = {run_of(1)}"
        ),
    ),
    "another time": (
        4,
        lambda: in_log(
            "UPDATE metrics SET timestamp = timestamp + 1 WHERE key = 'seconds' AND step = 1"
            f" AND run_uuid = {run_of(1)}"
        ),
    ),
    "another score": (
        4,
        lambda: in_log("UPDATE latest_metrics SET value = value + 1e-9 WHERE key = 'score'"),
    ),
    "another estimate": (
        5,
        lambda: in_log(
            "UPDATE latest_metrics SET value = value + 1e-6 WHERE key = 'estimate'"
            f" AND run_uuid = {run_of(0)}"
        ),
    ),
    "a lost error of an estimate": (
        5,
        lambda: in_log("DELETE FROM latest_metrics WHERE key = 'estimate_standard_error'"),
    ),
    "another winner": (5, lambda: in_log("UPDATE tags SET value = 'not' WHERE key = 'winner'")),
    "two winners": (
        5,
        lambda: in_log(
            f"INSERT INTO tags (key, value, run_uuid) VALUES ('winner', 'confirmed', {run_of(0)})"
        ),
    ),
    "an infinite score": (5, lambda: in_journal(infinite)),
    "a best that is none": (
        5,
        lambda: in_log("UPDATE latest_metrics SET value = 77 WHERE key = 'best_trial'"),
    ),
    "a trial that never ended": (2, lambda: in_journal(never_ended)),
    "a run that never ended": (
        6,
        lambda: in_log(f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid = {run_of(2)}"),
    ),
    "a draw counted twice": (7, lambda: in_journal(tell_late)),
    "a retry of nothing": (7, lambda: in_journal(forget_retry)),
    "a frozen value": (8, lambda: change_script("    y: int = ", "    y: int = 1")),
    "a frozen digest": (8, lambda: change_script('"digest": "', '"digest": "0')),
    "a frozen run": (8, lambda: change_script('"run": "', '"run": "0')),
    "a torn end": (9, lambda: append_to(here().path("audited"), '{"op_code"')),
    "a lost page": (
        9,
        lambda: paths.mlflow_database().write_bytes(paths.mlflow_database().read_bytes()[:-40000]),
    ),
    "a token in the study": (10, lambda: in_journal(lambda r: abouts(r)[1].update(proposal=TOKEN))),
    "a token in the log": (10, lambda: in_log("UPDATE tags SET value = ? WHERE key = 'why ended'", TOKEN)),
    "a password in the report": (10, lambda: append_to(paths.reports() / "a.html", "https://me:pass@host/")),
}
