"""One whole diagnosis of a 12-megapixel JPEG, and the first page: `python -m benchmarks.diagnosis`."""

from __future__ import annotations

import io
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.machine import machine
from skin_ai.bundle import load_bundle
from skin_ai.diagnose import diagnose
from skin_ai.photo import crop_square, read_photo
from skin_ai.samples import SAMPLES

RUNS = 9
ROOT = Path(__file__).resolve().parent.parent
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main() -> None:
    """Prints medians in milliseconds, and the whole as a ratio to the bare forward passes."""
    print(f"machine: {machine()}, torch {torch.__version__}")
    start = time.perf_counter()
    bundle = load_bundle()
    print(f"load and verify the bundle: {1000 * (time.perf_counter() - start):.0f} ms")
    photo = _twelve_megapixels()
    words = SAMPLES[0].narrative
    diagnose(photo, words, bundle)
    runs = [diagnose(photo, words, bundle) for _ in range(RUNS)]
    for stage in runs[0].timings_ms:
        print(
            f"{stage}: {statistics.median(run.timings_ms[stage] for run in runs):.0f} ms (median of {RUNS})"
        )
    total = statistics.median(run.timings_ms["total"] for run in runs)
    inputs = bundle.preprocessing(crop_square(read_photo(photo)))
    with torch.inference_mode():
        bare = []
        for _ in range(RUNS):
            start = time.perf_counter()
            for _ in range(bundle.views):
                bundle.image_model.feature_map(inputs)
            bare.append(1000 * (time.perf_counter() - start))
    language = statistics.median(run.timings_ms["language_model"] for run in runs)
    print(f"whole / (bare image passes + elimination): {total / (statistics.median(bare) + language):.2f}")
    first_page = statistics.median(_first_page() for _ in range(3))
    print(f"first page, from the server's start: {1000 * first_page:.0f} ms (median of 3)")


def _twelve_megapixels() -> bytes:
    drawn = Image.fromarray(SAMPLES[0].draw()).resize((4000, 3000), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    drawn.save(file, "JPEG", quality=92)
    return file.getvalue()


def _first_page() -> float:
    """Seconds from the start of the server's process to the first page's words in a browser."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER)
        page = browser.new_page()
        start = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
            page.goto(f"http://127.0.0.1:{port}")
            page.get_by_text("Research").first.wait_for(timeout=60_000)
            return time.perf_counter() - start
        finally:
            server.terminate()
            server.wait()
            browser.close()


if __name__ == "__main__":
    main()
