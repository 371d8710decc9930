"""A real browser without a window, which has never been anywhere."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
SWITCHES = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage")
HERE = bool(BROWSER and DRIVER)  # on this machine


@contextlib.contextmanager
def opened(folder: Path, width: int, height: int, *switches: str) -> Iterator[webdriver.Chrome]:
    """A browser with a window of this size, whose profile and downloads lie in a folder.

    It keeps what pages log, and which requests they send.
    """
    os.environ["SE_AVOID_STATS"] = "true"  # Selenium tells nobody that it is used
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    own = f"window-size={width},{height}", f"user-data-dir={folder / 'profile'}"
    for switch in (*SWITCHES, *switches, *own):
        options.add_argument(f"--{switch}")
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    downloads = {"behavior": "allow", "downloadPath": str(folder / "downloads")}
    try:
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", downloads)  # without a person who confirms it
        yield browser
    finally:
        browser.quit()
