"""How many taps and keys lead from the start to the result: `python -m benchmarks.taps [FOLDER]`.

In a real browser: a visitor at a conference by taps, a clinician with the keyboard alone. What is typed
is not counted. FOLDER: where screenshots of the conference are written; none without it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.machine import machine
from benchmarks.result_page import PATIENCE, SCREENS, settle
from benchmarks.server import started

HEIGHT = "(main => main.scrollHeight / innerHeight)(document.querySelector('[data-testid=stMain]'))"
FOCUSED = """(field => [
    field.tagName, field.role ?? field.type, field.ariaLabel,
    field.matches("button, a") ? field.innerText : ""
].join(" "))(document.activeElement)"""
# What the keyboard goes to in turn: a part of the field's name or kind, then what is done there.
BY_KEYBOARD = (
    ("Skip to main content", "press", "Enter"),
    ("TEXTAREA", "type", "I am 67. The shiny bump beside my nose bled twice."),
    ("Your diagnosis", "type", "basal cell carcinoma"),
    ("Your diagnosis", "press", "Enter"),
    ("10%", "press", "Space"),
    ("Save my diagnosis", "press", "Enter"),
)
MOST_TABS = 30


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print(machine())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        with started(environment={"SKIN_AI_KIOSK": "1"}) as (address, _):
            for screen, (width, height) in SCREENS.items():
                page = _open(browser, address, width, height)
                taps, screenfuls = _at_a_conference(page, folder, screen)
                print(f"conference, {screen}: {taps} taps to the result; start {screenfuls:.2f} screenfuls")
                page.context.close()
        with started() as (address, _):
            page = _open(browser, address, *SCREENS["laptop"])
            print(f"own case by keyboard: {by_keyboard(page)} keys besides typing")
        browser.close()


def _open(browser: Browser, address: str, width: int, height: int) -> Page:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Show the AI").or_(page.get_by_role("button", name="Save my")).wait_for()
    settle(page)
    return page


def _at_a_conference(page: Page, folder: Path | None, screen: str) -> tuple[int, float]:
    screenfuls = page.evaluate(HEIGHT)
    _keep(page, folder, f"conference-{screen}")
    taps = (
        page.get_by_role("radio", name="Melanoma"),
        page.get_by_role("radio", name="Fairly sure"),
        page.get_by_role("button", name="Show the AI"),
    )
    for place in taps:
        place.click()
    page.locator("#outcome").wait_for()
    page.wait_for_timeout(4000)  # until all steps have appeared
    _keep(page, folder, f"conference-result-{screen}")
    return len(taps), screenfuls


def _keep(page: Page, folder: Path | None, name: str) -> None:
    if folder is not None:
        folder.mkdir(exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")


def by_keyboard(page: Page) -> int:
    """Keys from the start to the result, besides those that type words and diagnosis."""
    keys = 0
    for place, does, what in BY_KEYBOARD:
        for _ in range(MOST_TABS):
            if place in page.evaluate(FOCUSED):
                break
            page.keyboard.press("Tab")
            keys += 1
        else:
            raise RuntimeError(f"The Tab key does not reach {place}.")
        if does == "type":
            page.keyboard.type(what)
        else:
            page.keyboard.press(what)
            keys += 1
        settle(page)
    page.locator("#verdict").wait_for()
    return keys


if __name__ == "__main__":
    main()
