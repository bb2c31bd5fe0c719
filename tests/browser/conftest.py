"""A real Chromium, and what an operator sees and clicks in it."""

import base64
import os
import shutil
import time
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


class Browser:
    """A page of the web interface: found by the words on it, as a person finds them."""

    def __init__(self, driver: webdriver.Chrome, address: str, shots: Path) -> None:
        self.driver, self.address, self.shots = driver, address, shots
        self._taken = 0

    def open(self, path: str) -> None:
        self.driver.get(self.address + path)

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def see(self, *words: str, seconds: float = 30) -> str:
        """Wait until all the words are on the page."""
        return self._until(
            lambda: all(word in self.text for word in words) and self.text, seconds, f"the words {words}"
        )

    def click(self, xpath: str, *, seconds: float = 30) -> None:
        """Click what the path finds, when it can be clicked."""

        def clicked() -> bool:
            found = [
                one for one in self.driver.find_elements(By.XPATH, xpath) if one.is_displayed() and one.is_enabled()
            ]
            if not found or found[0].get_attribute("aria-disabled") == "true":
                return False
            found[0].click()
            return True

        self._until(clicked, seconds, f"something to click at {xpath}")

    def elsewhere_than(self, path: str) -> str:
        """Wait until the interface has gone to another page; its address."""
        return self._until(lambda: path not in self.driver.current_url and self.driver.current_url, 60, "another page")

    def button(self, words: str, *, seconds: float = 30) -> None:
        self.click(f"//button[contains(normalize-space(), '{words}')]", seconds=seconds)

    def write(self, xpath: str, words: str) -> None:
        """Write into a field over what stands in it."""
        field: WebElement = self._until(lambda: self.driver.find_elements(By.XPATH, xpath), 30, f"a field at {xpath}")[
            0
        ]
        field.click()
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(words)

    def shot(self, name: str) -> None:
        self._taken += 1
        self.driver.save_screenshot(str(self.shots / f"{self._taken:02d}-{name}.png"))

    def as_wide_as(self, width: int) -> None:
        """Show pages as a window or a telephone of that many pixels does."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def whole(self, name: str) -> None:
        """A screenshot of the page from top to bottom."""
        self._keep(
            f"{name}.png", self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        )

    def printed(self, name: str) -> bytes:
        """The page on paper, as PDF."""
        return self._keep(
            f"{name}.pdf",
            self.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True}),
        )

    def _keep(self, name: str, taken: dict[str, str]) -> bytes:
        content = base64.b64decode(taken["data"])
        (self.shots / name).write_bytes(content)
        return content

    def charts(self) -> int:
        """How many pictures the page has drawn from what it was sent: one that cannot be read has no width."""
        script = (
            "return [...document.images].filter(i => i.src.startsWith('data:image/svg') && i.naturalWidth > 100).length"
        )
        return self._until(lambda: self.driver.execute_script(script), 10, "a chart")

    def complaints(self) -> list[str]:
        """What the pages have complained of since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def _until(self, holds, seconds: float, what: str):
        until, last = time.monotonic() + seconds, None
        while time.monotonic() < until:
            try:
                if found := holds():
                    return found
            except StaleElementReferenceException as error:  # the page drew it anew
                last = error
            time.sleep(0.2)
        self.shot("what-was-there-instead")
        raise AssertionError(f"{what} within {seconds:.0f} s at {self.driver.current_url}: {last}\n{self.text[-2000:]}")


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    """Where the screenshots go: `KCB_TEST_ARTIFACTS`, or a temporary folder that pytest keeps for a while."""
    named = os.environ.get("KCB_TEST_ARTIFACTS")
    folder = Path(named) / "browser" if named else tmp_path_factory.mktemp("browser")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The browser, without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1300", f"--user-data-dir={profile}",
        "--disable-background-networking", "--disable-component-update",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
