"""From a photo chosen on a phone to its arrival on the laptop: `python -m benchmarks.phone`."""

from __future__ import annotations

import io
import statistics
import time

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, sync_playwright

from benchmarks.machine import machine
from benchmarks.server import started
from skin_ai.views.case.samples import SAMPLES
from tests.browser.at_the_screen import phone_address

RUNS = 7
TARGET = 2  # seconds from the end of the upload
HOST = "laptop.localhost"  # another name of this machine, as a phone would use one
ENVIRONMENT = {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", "SKIN_AI_HOSTS": HOST}


def main() -> None:
    """Prints medians in seconds, with a photo of 12 megapixels."""
    print(f"machine: {machine()}")
    photo = _photo()
    with started(environment=ENVIRONMENT) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        runs = [_one_photo(browser, address, photo) for _ in range(RUNS)]
        browser.close()
    sent, arrived = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"{len(photo['buffer']) / 1e6:.1f} MB, medians of {RUNS}: sent in {sent:.2f} s")
    print(f"on the laptop {arrived:.2f} s after the phone says that it is sent (target {TARGET})")


def _photo() -> FilePayload:
    pixels = np.asarray(Image.fromarray(SAMPLES[0].pixels()).resize((4000, 3000)))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92)
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def _one_photo(browser: Browser, address: str, photo: FilePayload) -> tuple[float, float]:
    """Seconds until the phone says that the photo is sent, and from then until the laptop shows it."""
    laptop, phone = browser.new_context().new_page(), browser.new_context().new_page()
    laptop.goto(address)
    laptop.get_by_role("radio", name="Phone").click()
    phone.goto(phone_address(laptop))
    start = time.perf_counter()
    phone.get_by_label("Take or choose a photo").set_input_files(photo)
    phone.get_by_text("Sent. The photo is on the other screen.").wait_for()
    sent = time.perf_counter()
    laptop.get_by_text("What the model sees").wait_for()
    arrived = time.perf_counter()
    laptop.context.close()
    phone.context.close()
    return sent - start, arrived - sent


if __name__ == "__main__":
    main()
