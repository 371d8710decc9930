"""The page of a report as a browser reads it; its figures are recomputed from the study's journal."""

import io
import json
import re
import statistics
from html.parser import HTMLParser

import optuna
import plain
import pytest
from rich.console import Console
from stores import here

from search import paths
from search.cli.app import main
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.reports import page, report, tables
from search.strategy.strategy import Strategy
from search.study.opening import open_study

HOSTILE = "</script><script>alert(1)</script> & \"quoted\" 'too'"


class Page(HTMLParser):
    """A page: its elements, its text, the rows of its table, the data of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.rows, self.scripts = [], [], [], []
        self._inside = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._inside.append(tag)
        if tag == "tr":
            self.rows.append({"attributes": dict(attributes), "cells": [], "struck": 0})
        elif tag in ("td", "th"):
            self.rows[-1]["cells"].append("")
        elif tag == "s":
            self.rows[-1]["struck"] += 1

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "script" in self._inside:
            self.scripts.append(data)
        elif "style" not in self._inside:
            self.words.append(data)
            if {"td", "th"} & set(self._inside):
                self.rows[-1]["cells"][-1] += data


def html(study):
    """The page of a study's report."""
    return page.page(report.report(study))


def of(study):
    """The same as a browser reads it."""
    return Page(html(study))


def journal(name):
    """A study as Optuna alone reads it."""
    backend = optuna.storages.journal.JournalFileBackend(str(paths.studies() / f"{name}.journal"))
    return optuna.load_study(study_name=name, storage=optuna.storages.JournalStorage(backend))


@pytest.fixture
def confirmed(bowl):
    """A study of the bowl: 40 trials, 2 void, contenders trained on fresh seeds."""
    with open_study(here(), bowl, "bowls") as study:
        study.set_budget(40, None)
        search(study, Inline(study), trials=40)
        study.void("void", [2, 3], HOSTILE)
        confirm(study, Inline(study), replicates=3)
        yield study


def test_the_figures_are_those_of_the_journal(confirmed):
    page, trials = of(confirmed), journal("bowls").get_trials()
    about = {trial.number: trial.user_attrs["about"] for trial in trials}
    repeats = {}
    for trial in trials:
        if "confirms" in about[trial.number]:
            repeats.setdefault(about[trial.number]["confirms"], []).append(trial.value)
    best = int(re.search(r"Trial (\d+) wins", page.text)[1])
    assert trials[best].value <= 1.1 * min(trials[number].value for number in repeats)
    params = trials[best].params
    assert page.text.count(f"Trial {best} wins: x {params['x']:.3g}, y {params['y']}.") == 1
    scores = [trials[best].value, *repeats[best]]
    shown, error = re.search(
        r"Its validation height is ([\d.]+) ± ([\d.]+), the estimate", page.text
    ).groups()
    mean = statistics.fmean(scores)  # the estimate is shrunk, by less than its error
    assert abs(float(shown) - mean) < float(error) < 0.1 * mean
    assert f"the estimate from {len(scores)} seeds" in page.text
    own = [trial for trial in trials if trial.number not in (2, 3) and "confirms" not in about[trial.number]]
    states = [trial.user_attrs["outcome"]["state"] for trial in own]
    repeated = sum(map(len, repeats.values()))
    assert (
        f"{states.count('completed')} completed, {states.count('pruned')} pruned, "
        f"{repeated} replicates, 2 void" in page.text
    )
    assert (
        f"{states.count('pruned')} of {len(own)} trials ({states.count('pruned') / len(own):.0%})"
        in page.text
    )
    defaults = trials[0].value
    found = re.search(
        r"a factor of ([\d.]+) ×÷ ([\d.]+) better than trial 0, .* at ([\d.]+) ± ([\d.]+)\.", page.text
    )
    factor, of_factor, estimate, error = map(float, found.groups())
    assert factor == pytest.approx(estimate / float(shown), rel=0.02) and 1 < of_factor < 1.2
    assert abs(estimate - defaults) < error


def test_the_table_has_all_trials_and_strikes_through_void_ones(confirmed):
    page, trials = of(confirmed), journal("bowls").get_trials()
    head, *rows = page.rows
    assert head["cells"][:7] == ["trial", "state", "estimate", "±", "height", "x", "y"]
    assert [int(row["cells"][0]) for row in rows] == [trial.number for trial in trials]
    for row, trial in zip(rows, trials, strict=True):
        shown = trial.value is not None and trial.user_attrs["outcome"]["state"] == "completed"
        assert row["cells"][4] == (f"{trial.value:.4g}" if shown else "")
        own = "confirms" not in trial.user_attrs["about"] and trial.number not in (2, 3)
        assert bool(row["cells"][2]) == bool(row["cells"][3]) == own  # paused and pruned ones too
        assert row["cells"][5:8] == [
            f"{trial.params['x']:.4g}",
            str(trial.params["y"]),
            str(len(trial.intermediate_values)),
        ]
        void = trial.number in (2, 3)
        assert (row["struck"] == sum(map(bool, row["cells"]))) == void and (row["struck"] > 0) == void
        assert (HOSTILE in row["attributes"].get("title", "")) == void
        about = trial.user_attrs["about"]
        replicates = about.get("confirms")
        state = f"(replicate {about.get('repeat')} of trial {replicates})"
        assert row["cells"][1].endswith(state) == (replicates is not None)
        assert row["cells"][1].startswith("void: ") == void
        kind = "void" if void else "replicate" if replicates is not None else ""
        assert row["attributes"]["class"] in (kind, "winner" if kind == "" else kind)
        why = about.get("proposal"), trial.user_attrs["outcome"]["reason"]
        assert tuple(row["cells"][-2:]) == why


def test_the_page_stands_alone_and_runs_nothing_of_what_people_wrote(confirmed):
    text = html(confirmed)
    page = Page(text)
    for tag, attributes in page.elements:
        assert "src" not in attributes and tag not in ("link", "iframe", "img", "object", "base")
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"https?://|url\(|@import", text)
    assert "alert(1)" in page.text and "<script>alert" not in text
    assert sum(tag == "script" for tag, _ in page.elements) == 3 + len(plots(page))
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    assert "function sort(" in text and text.count('<th scope="col"><button>') == len(page.rows[0]["cells"])


def test_page_of_a_task_with_a_hostile_docstring_and_reasons_has_no_markup_of_theirs(write_task, tell):
    hostile = "</title><script>alert(1)</script><b title='x'>&amp; {{ 7 * 7 }} {% raw %}"
    docstring = plain.TEXT.split('"""')[1]
    with open_study(here(), write_task("hostile", (docstring, f"{hostile}\n\nTarget: {hostile}\n"))) as study:
        tell(study, 0.5)
        tell(study, 0.4)
        running = Strategy(study).ask()
        study.tell(running.number, "failed", hostile)
        study.void("void", [1], hostile)
        seen = of(study)
    tags = [tag for tag, _ in seen.elements]
    assert tags.count("title") == 1 and "b" not in tags and tags.count("script") == 3 + len(plots(seen))
    assert seen.text.count(hostile) >= 4  # the question, the target, two reasons
    assert any(hostile in row["attributes"].get("title", "") for row in seen.rows)


def test_what_a_plot_shows_is_no_markup(moody, tell):
    with open_study(here(), moody(HOSTILE), "moods") as study:
        for mood in ("well", HOSTILE, "well"):
            tell(study, 0.5, mood=mood)
        page = of(study)
    assert sum(tag == "script" for tag, _ in page.elements) == 3 + len(plots(page))
    assert "</script><script>alert(1)</script>" in json.dumps(plots(page))


def plots(page):
    """The figures of a page."""
    figures = [script for script in page.scripts if script.startswith('{"data"')]
    return [json.loads(figure, parse_constant=pytest.fail) for figure in figures]  # NaN is no JSON


def test_the_plots_show_the_trials_that_count(confirmed):
    page = of(confirmed)
    headings = " ".join(page.words)
    for title in ("Learning curves", "Score against time", "Importance", "History", "Slice: x", "Slice: y"):
        assert title in headings
    assert "Contour: " in headings and "Parallel coordinates" in headings and "Timeline" in headings
    curves = plots(page)[0]["data"]
    own = [t for t in confirmed.history() if t.state == "completed"]
    drawn = next(trace for trace in curves if trace["name"] == "finished")
    assert [y for y in drawn["y"] if y is not None] == [e["validation_height"] for t in own for e in t.curve]
    assert {text for text in drawn["text"] if text} == {f"trial {t.number}" for t in own}
    assert all("width" not in figure["layout"] for figure in plots(page))
    titles = re.findall(r"<h3>(.*?)</h3>", html(confirmed))
    for title in ("History", "Slice: x", "Contour: y and x", "Contour: x and y", "Score against time"):
        if title in titles:
            traces = [t for t in plots(page)[titles.index(title)]["data"] if t.get("mode") == "markers"]
            counts = {trace["name"]: len(trace["x"]) for trace in traces}
            assert counts["finished"] == len(own) and sum(counts.values()) == len(confirmed.history())
    lines = plots(page)[titles.index("Parallel coordinates")]["data"][0]["dimensions"]
    assert {len(dimension["values"]) for dimension in lines} == {len(confirmed.history())}


@pytest.mark.parametrize("completed", [0, 1, 2])
def test_a_study_with_few_trials_has_a_report_that_says_so(bowl, tell, completed):
    with open_study(here(), bowl, "few") as study:
        for number in range(completed):
            tell(study, 0.5, x=number / 10)
        page = of(study)
        text = terminal(study)
    for said in (page.text, text):
        assert f"there are {completed}, {completed} with an estimate and {completed} trained" in said
        assert ("There is no answer yet" in said) == (completed == 0)
        assert ("Trial 0 wins" in said) == (completed > 0)
    assert len(page.rows) == 1 + completed


def test_trials_that_all_went_wrong_have_a_report(moody):
    with open_study(here(), moody("nan", "error", "late nan"), "moods") as study:
        search(study, Inline(study), trials=10)
        page = of(study)
    assert "diverged" in page.text and "out of sorts" in page.text


def test_a_hyperparameter_that_no_estimated_trial_has_is_in_the_report_and_in_no_plot(write_task, tell):
    rare = 'x = trial.suggest_float("x", 0, 1)\n    y = trial.suggest_int("y", 1, 9) if x > 0.9 else 1\n'
    change = 'return Config(x=trial.suggest_float("x", 0, 1))', f"{rare}    return Config(x=x, y=y)"
    task = write_task("rare", change, ("    epochs: int = 4", "    y: int = 1\n    epochs: int = 4"))
    with open_study(here(), task) as study:
        for number in range(12):
            tell(study, 0.1 + number, x=number / 16)
        tell(study, None, "failed", [{}], x=0.95)
        page = html(study)
        assert "range of y" in page and "Slice: x" in page and "Slice: y" not in page
        tell(study, None, "pruned", [{}], x=0.96)
        assert "Slice: y" in html(study)  # an unfinished trial has an estimate, and so a point


def test_a_study_whose_scores_are_all_equal_has_a_report(bowl, tell):
    with open_study(here(), bowl, "equal") as study:
        for number in range(12):
            tell(study, 0.5, x=number / 20)
        assert "no visible effect" in of(study).text


def terminal(study):
    """The report as it is read in a terminal."""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables.of_report(report.report(study)))
    return " ".join(console.export_text().split())


def test_the_terminal_says_the_same(confirmed):
    learned = report.report(confirmed)
    console = Console(width=2000, record=True, file=io.StringIO())
    console.print(tables.of_report(learned))
    text, page = console.export_text(), of(confirmed)
    assert learned.answer in text and learned.answer in page.text
    for said in (*learned.question, *learned.winner, *learned.mattered, *learned.advice):
        assert said.text in text and " ".join(said.text.split()) in page.text


def test_the_verb_writes_the_page_and_says_where(searched, tmp_path, capsys, home):
    searched.__exit__()
    assert main(["report", "--task", "bowl"]) == 0
    path = paths.reports() / "searched.html"
    assert f"wrote {path}" in capsys.readouterr().out
    assert Page(path.read_text()).text.startswith("searched: what was learned")
    assert main(["report", "--task", "bowl", "--out", str(tmp_path / "away")]) == 0
    assert (tmp_path / "away" / "searched.html").read_text() == path.read_text()
    (tmp_path / "file").touch()
    assert main(["report", "--task", "bowl", "--out", str(tmp_path / "file")]) == 2
