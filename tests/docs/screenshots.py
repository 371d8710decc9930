"""Screenshots of pages in a real browser without a window, as small PNG files."""

import tempfile
import time
from pathlib import Path

import browsers
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

WIDTH, HEIGHT = 1280, 900  # of the page that is shown
PATIENCE = 60  # seconds until a page must show its text
SETTLE = 3  # seconds more, until its plots are drawn
COLOURS = 128  # of the picture: fewer make a smaller file
LARGEST = 200_000  # bytes of a picture


def screenshot(
    address: str, path: Path, shows: str, scroll_to: str = "", clicks: tuple[str, ...] = ()
) -> None:
    """Write a PNG file of a page.

    Args:
        address: the page: file:// or http://.
        shows: a text; the picture is taken soon after the page shows it.
        scroll_to: a CSS selector; the picture begins there.
        clicks: XPaths of buttons to click first, such as those that close a side panel.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        browsers.opened(Path(folder), WIDTH, HEIGHT, "hide-scrollbars") as browser,
    ):
        browser.set_window_size(WIDTH, HEIGHT + _frame_height(browser))
        browser.get(address)
        wait = WebDriverWait(browser, PATIENCE)
        wait.until(lambda page: shows in page.find_element(By.TAG_NAME, "body").text)
        for button in clicks:
            wait.until(expected_conditions.element_to_be_clickable((By.XPATH, button))).click()
        if scroll_to:
            browser.execute_script("document.querySelector(arguments[0]).scrollIntoView()", scroll_to)
        time.sleep(SETTLE)
        path.parent.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(path))
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes: at most {LARGEST:,}")


def _frame_height(browser: webdriver.Chrome) -> int:
    """Pixels of the window that the page does not get."""
    return browser.get_window_size()["height"] - browser.execute_script("return window.innerHeight")
