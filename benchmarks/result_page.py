"""How much a clinician has to read and scroll to the result: `python -m benchmarks.result_page [FOLDER]`.

Goes from the samples to the result in a real browser, on a laptop and a phone, and counts screenfuls, words
and pixels. FOLDER: where screenshots are written, in both themes; none without it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.machine import machine
from benchmarks.server import started
from skin_ai.views.case.samples import SAMPLES

SCREENS = {"laptop": (1280, 800), "phone": (390, 844)}
THEMES = ("dark", "light")  # the page is left in the last one
PATIENCE = 180_000  # milliseconds: the models load
STORY = "I am 24. For two weeks itchy red scaly patches on both elbows and knees. My father has psoriasis."
COUNT = """() => {
    const main = document.querySelector('[data-testid=stMain]'), height = window.innerHeight;
    const bottom = [...document.querySelectorAll('.st-key-ai, .unsure')].at(-1)
        .getBoundingClientRect().bottom;
    const sizes = [...document.querySelectorAll('.funnel .pill, .funnel .reason, .funnel .count')]
        .map(part => parseFloat(getComputedStyle(part).fontSize));
    document.querySelectorAll('[data-testid=stIconMaterial]').forEach(icon => icon.style.display = 'none');
    const text = [...document.querySelectorAll('[data-testid=stHeader], [data-testid=stMain]')]
        .map(part => part.innerText).join(' ');
    document.querySelectorAll('[data-testid=stIconMaterial]').forEach(icon => icon.style.display = '');
    return {
        verdict: bottom / height,
        page: main.scrollHeight / height,
        words: text.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)).length,
        pixels: sizes.length ? Math.min(...sizes) : 0,
    };
}"""


@dataclass(frozen=True)
class Way:
    """One way to a result. sample: a name, "" for words alone."""

    name: str
    own: str
    sample: str = ""
    words: bool = True
    after: bool = False


WAYS = (
    *(
        Way(f"{number} {sample.reference}", "basal cell carcinoma", sample.name)
        for number, sample in enumerate(SAMPLES, start=1)
    ),
    Way("photo alone", "nevus", SAMPLES[1].name, words=False),
    Way("history alone, 26 types", "psoriasis"),
    Way("history alone, own outside", "granuloma faciale"),
    Way("final answer saved", "melanoma", SAMPLES[0].name, after=True),
)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    chosen = sys.argv[2:]  # beginnings of names, for a part of the ways
    print(machine())
    print("| way | screen | verdict ends at, screenfuls | page, screenfuls | words | funnel, least px |")
    print("|---|---|---|---|---|---|")
    with started() as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for way in WAYS:
            if chosen and not way.name.startswith(tuple(chosen)):
                continue
            for screen in SCREENS:
                measure(browser, address, way, screen, folder)
        browser.close()


def measure(browser: Browser, address: str, way: Way, screen: str, folder: Path | None) -> None:
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(address)
    go_to_result(page, way)
    found = page.evaluate(COUNT)
    print(
        f"| {way.name} | {screen} | {found['verdict']:.2f} | {found['page']:.2f} | {found['words']} "
        f"| {found['pixels']:.0f} px |",
        flush=True,
    )
    if folder is not None:
        keep_screenshots(page, folder, f"{way.name.replace(' ', '-')}-{screen}")
    context.close()


def go_to_result(page: Page, way: Way) -> None:
    if way.sample:
        page.get_by_role("radio", name="Sample").click()
        page.locator(f".st-key-sample_{way.sample} button").click()
        page.get_by_text("What the model sees").wait_for()
    words = page.get_by_role("textbox", name="In the patient's own words")
    if not way.sample or not way.words:
        words.fill(STORY if way.words else "")
        words.press("Control+Enter")
    settle(page)
    page.get_by_role("combobox", name="Your diagnosis").click()
    page.keyboard.type(way.own)
    page.get_by_role("option", name=way.own).first.wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.get_by_role("radio", name="70%", exact=True).click()
    settle(page)
    page.get_by_role("button", name="Save my diagnosis and show the AI's", exact=True).click()
    page.locator("#verdict").wait_for()
    settle(page)
    if way.after:
        page.get_by_role("button", name="Keep my answer").click()
        page.locator("#outcome").wait_for()
        settle(page)
    page.wait_for_timeout(4000)  # until all steps have appeared


def settle(page: Page) -> None:
    """Waits until the server has nothing more to do."""
    page.wait_for_timeout(500)
    page.locator("[data-testid=stApp][data-test-script-state=running]").wait_for(state="detached")


def keep_screenshots(page: Page, folder: Path, name: str) -> None:
    """The first screenful in both themes, and the whole page."""
    folder.mkdir(exist_ok=True)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"{name}-{theme}.png")
    size = page.viewport_size
    assert size is not None
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": tall + 20})
    page.wait_for_timeout(500)
    page.screenshot(path=folder / f"{name}-whole.png")


if __name__ == "__main__":
    main()
