"""MLflow's pages and the report as a person sees them: in a real browser, without a window."""

import re

import pytest
from logs import projection
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from stores import here

from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.reports import page, report
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.study.opening import open_study
from search.tracking import mapping

PATIENCE = 40  # seconds until a page must show what it has to
SIZE = 2600, 1400  # of the window: all columns of a list are in it


@pytest.fixture
def study(bowl, database):
    """A study with a confirmed winner and a void trial, and the address of its page."""
    with open_study(here(), bowl, "looked-at") as study:
        search(study, Inline(study), trials=8)
        confirm(study, Inline(study), replicates=2)
        study.void("void", [study.completed()[-1].number], "the mask was wrong")
        log = projection(study)
        log.bring_up_to_date()
    return study, log.page()


def text(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def shows(browser, *parts):
    """Wait until a page shows all of these."""

    def there(browser):
        return all(part in text(browser) for part in parts)

    try:
        waiting(browser).until(there)
    except TimeoutException:
        raise AssertionError(f"{parts} not all in:\n{text(browser)}") from None


def waiting(browser):
    """Patience, while a page makes itself anew under the test's hands."""
    return WebDriverWait(browser, PATIENCE, ignored_exceptions=[WebDriverException])


def listed(browser):
    """The trials that a list shows, in its order, by number."""
    rows = {}
    for row in browser.find_elements(By.CSS_SELECTOR, "[role=row][row-index]"):
        if match := re.search(r"trial-(\d{4})", row.text):
            rows[int(row.get_attribute("row-index"))] = int(match[1])
    return [rows[at] for at in sorted(rows)]


def click(browser, words):
    """Click what bears these words and can be seen."""
    found = browser.find_elements(By.XPATH, f"//*[text()='{words}']")
    next(each for each in found if each.is_displayed()).click()


def test_what_a_person_sees_of_a_study(study, serve, browser):
    browser.set_window_size(*SIZE)
    study, address = study
    home = f"http://127.0.0.1:{serve('ui')}/"
    trials, won = list(study.trials()), winner.choose(study)
    shown = {trial.number: f"trial-{trial.number:04}" for trial in trials if trial.replicate_of is None}
    replicates = [trial.number for trial in trials if trial.replicate_of is not None]
    estimates = {number: each["estimate"] for number, each in mapping.estimates(Posterior.of(study)).items()}
    best_first = sorted(estimates.keys() & shown.keys(), key=estimates.__getitem__)
    [void] = shown.keys() - estimates.keys()
    assert trials[void].void and len(best_first) == 7 and len(replicates) > 1

    # The experiments: what this one asks.
    browser.get(f"{home}#/experiments?workflowType=machine_learning")
    shows(browser, "bowl", "Where is the lowest point")

    # Its configurations, by the address that `make ui` prints: the best estimate first, and no replicates.
    browser.get(home + address)
    shows(browser, "Where is the lowest point of a bowl?", *shown.values(), "Sort: estimate")
    shows(browser, "estimate_standard_error", "score", "why ended", f"{len(shown)} matching runs")
    assert listed(browser) == [*best_first, void]
    assert f"{shown[void]} (void)" in text(browser) and "repeats" not in text(browser)

    # The other way round, by a click on the title of the column.
    click(browser, "estimate")
    waiting(browser).until(lambda browser: listed(browser) == [*reversed(best_first), void])

    # By the score, the highest first, by a click on its title: those that have none come last.
    click(browser, "score")
    scored = [number for number in shown if trials[number].score is not None]
    highest_first = sorted(scored, key=lambda number: -trials[number].score)
    waiting(browser).until(lambda browser: listed(browser)[: len(scored)] == highest_first)
    assert len(scored) > 2 and sorted(listed(browser)) == sorted(shown)

    # One of them: its numbers, and why it was tried and ended.
    browser.find_element(By.PARTIAL_LINK_TEXT, shown[won.trial.number]).click()
    shows(browser, "why tried", won.trial.proposal, "why ended", "trained to the end", "confirmed")
    shows(browser, "validation_height", "score_standard_error", "confirmed_mean", "Parent run")
    shows(browser, "estimate_standard_error", str(estimates[won.trial.number]))

    # The study: who won, and the way to its trials.
    browser.find_element(By.LINK_TEXT, study.name).click()
    shows(browser, "Winner: trial", f"{won.mean:.4g} ± {won.standard_error:.2g}", "Child runs")
    click(browser, "Show more")
    click(browser, "All trials, the best first")
    browser.switch_to.window(browser.window_handles[-1])  # where MLflow opens what a description links
    shows(browser, *shown.values(), "Sort: estimate")
    assert listed(browser) == [*best_first, void]


def test_the_page_of_a_report_draws_its_plots_and_sorts_its_table(bowl, browser, tmp_path):
    with open_study(here(), bowl, "reported") as study:
        search(study, Inline(study), trials=12)
        study.void("void", [3], "a <b>bug</b>")
        path = page.write(report.report(study), tmp_path)
    browser.get(path.as_uri())
    plot = browser.find_element(By.CSS_SELECTOR, ".plot")
    browser.execute_script("arguments[0].scrollIntoView()", plot)
    waiting(browser).until(lambda browser: plot.find_elements(By.CSS_SELECTOR, "svg.main-svg"))
    assert "cannot be drawn" not in text(browser)

    browser.find_element(By.XPATH, "//th/button[text()='height']").click()
    cells = browser.find_elements(By.CSS_SELECTOR, "tbody tr td:nth-child(5)")
    scored = sorted(trial.score for trial in study.trials() if trial.score is not None)
    shown = [cell.get_attribute("data-value") for cell in cells]
    assert shown == [*map(str, scored), *[""] * (12 - len(scored))] and len(scored) > 2
    void = browser.find_element(By.CSS_SELECTOR, "tr.void")
    assert "a <b>bug</b>" in void.get_attribute("title") and not browser.find_elements(
        By.CSS_SELECTOR, "td b"
    )
