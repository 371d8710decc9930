"""A person's whole path through the pages of the service, in a real browser without a window."""

import re

import pytest
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from search.client.models import State

PATIENCE = 120  # seconds until a page must show what it has to


class Eyes:
    """What a person does with a page: looks, waits, clicks, types."""

    def __init__(self, browser):
        self.browser = browser

    def wait(self, condition):
        waiting = WebDriverWait(self.browser, PATIENCE, 0.1, ignored_exceptions=[WebDriverException])
        try:
            return waiting.until(lambda browser: condition())
        except TimeoutException:
            raise AssertionError(
                f"not seen:\n{self.browser.find_element(By.TAG_NAME, 'body').text}"
            ) from None

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        """The first element that can be seen, once there is one."""
        return self.wait(lambda: next((each for each in self.all(selector) if each.is_displayed()), None))

    def shows(self, selector, pattern):
        """Wait until an element shows a text."""
        self.wait(lambda: any(re.search(pattern, each.text) for each in self.all(selector)))

    def tab_to(self, selector):
        """Press the tabulator until an element has the focus."""
        for _ in range(80):
            focused = self.browser.switch_to.active_element
            if focused in self.all(selector):
                return focused
            focused.send_keys(Keys.TAB)
        raise AssertionError(f"the keyboard does not reach {selector}")

    def overflow(self):
        """Pixels by which a page is wider than its window."""
        script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return self.browser.execute_script(script)


@pytest.fixture
def eyes(browser):
    """Its browser must log no error, such as a script that was refused."""
    yield Eyes(browser)
    logged = [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert not [each for each in logged if "status of 4" not in each]  # answers that a form shows


def test_a_person_searches_tries_voids_and_takes_the_script(web, eyes, tmp_path):
    # Start a search, by the keyboard alone.
    eyes.browser.get(web.address)
    Select(eyes.tab_to("select[name=task]")).select_by_visible_text("bowl")
    eyes.shows("details[data-task=bowl]", "lowest point of a bowl(.|\n)*0 to 100")
    assert not eyes.browser.find_element(By.CSS_SELECTOR, "details[data-task=langid]").is_displayed()
    eyes.tab_to("input[name=timeout]").send_keys(Keys.CONTROL, "a")
    eyes.tab_to("input[name=timeout]").send_keys("no")
    eyes.tab_to("input[name=trials]").send_keys("12", Keys.ENTER)
    eyes.shows("#start .wrong", "timeout 'no' is not valid")
    eyes.tab_to("input[name=timeout]").send_keys(Keys.CONTROL, "a")
    eyes.tab_to("input[name=timeout]").send_keys("100", Keys.ENTER)

    # Watch it: nobody loads the page again.
    eyes.shows("h1", "lowest point of a bowl")
    eyes.browser.execute_script("window.stayed = true")
    eyes.shows("#state-word", "searching")
    eyes.wait(lambda: len(eyes.all("#trials tr[data-key='3']")) == 1)
    eyes.shows("#winner", r"± [\d.e-]+")
    eyes.wait(lambda: len(eyes.all(".plot svg.main-svg")) >= 2)
    eyes.shows("#state-word", "done")
    eyes.shows("#results", "Hand-in")

    # Take the script.
    eyes.one("#results .primary").click()
    script = tmp_path / "downloads" / "bowl.py"
    eyes.wait(script.exists)
    compile(script.read_text(), "bowl.py", "exec")

    # Try a configuration; first one that is not valid.
    field = eyes.one("input[name=x]")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("7", Keys.ENTER)
    eyes.shows("section:has(#try-title) .wrong", "x=7 is not valid: a number, 0.0 to 1.0")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("0.31", Keys.ENTER)
    eyes.shows("#announce", "configuration is asked for")

    # Make a trial void, with a reason.
    eyes.one("button[data-void='1']").click()
    eyes.one("#void input[name=reason]").send_keys("the <b>mask</b> was wrong", Keys.ENTER)
    eyes.shows("#trials tr.void", "void: .*the <b>mask</b> was wrong")
    eyes.shows("#trials tr", "x 0.31, y 50 .*local")
    assert eyes.one("button[data-void='1']").text == "restore"
    assert eyes.browser.execute_script("return window.stayed")

    # Read the report, whose plots are drawn under its own policy.
    eyes.browser.find_element(By.LINK_TEXT, "Report").click()
    plot = eyes.one(".plot")
    eyes.browser.execute_script("arguments[0].scrollIntoView()", plot)
    eyes.wait(lambda: plot.find_elements(By.CSS_SELECTOR, "svg.main-svg"))


def test_pages_keep_focus_and_fit_a_phone(web, eyes):
    search = web.searched(trials=6, state=State.PAUSED)
    for width in (390, 1280):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        eyes.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for path in ("/", f"/searches/{search.id}", "/nothing"):
            eyes.browser.get(web.address + path)
            assert eyes.overflow() <= 0, (path, width)
    eyes.browser.get(f"{web.address}/")
    row = eyes.tab_to(f"tr[data-key='{search.id}'] a")
    web.service.queue.cancel(search.id, "local")
    eyes.shows(f"tr[data-key='{search.id}']", "cancelled")
    assert eyes.browser.switch_to.active_element == row


def test_an_injected_script_does_not_run(web, eyes):
    search = web.searched(trials=2)
    for path in ("/", f"/searches/{search.id}", f"/api/searches/{search.id}/report"):
        eyes.browser.get(web.address + path)
        eyes.browser.execute_script(
            "const script = document.createElement('script'); script.textContent = 'window.evil = 1';"
            "document.body.append(script)"
        )
        assert eyes.browser.execute_script("return window.evil") is None
    eyes.browser.get_log("browser")  # which tells of those scripts


def test_the_login_keeps_a_token(class_web, eyes):
    token, search = class_web.token("ada"), class_web.add("ada")
    eyes.browser.get(f"{class_web.address}/searches/{search.id}")
    eyes.one("input[name=token]").send_keys("trialbook_wrong", Keys.ENTER)
    eyes.shows(".wrong", "this token is wrong or revoked")
    eyes.one("input[name=token]").send_keys(token, Keys.ENTER)
    eyes.shows("#state-word", "paused")
    eyes.tab_to(".bar button").send_keys(Keys.ENTER)
    eyes.shows("h1", "Log in")
