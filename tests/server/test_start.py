"""How the real server starts."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.server import ROOT, free_port, started


def test_it_does_not_start_with_a_setting_that_is_not_understood() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(free_port())],
        cwd=ROOT, env=os.environ | {"SKIN_AI_KIOSK": "maybe"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 2  # as in deploy/skin-ai@.service
    assert run.stderr == "skin_ai: SKIN_AI_KIOSK is “maybe”: write yes or no.\n"


def test_it_opens_the_browser_without_a_question_for_an_address(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    opener.chmod(0o755)
    environment = {
        "DISPLAY": ":0",
        "STREAMLIT_SERVER_HEADLESS": "",
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SKIN_AI_BASE_PATH": "skin",
    }
    with started(tmp_path / "data", environment=environment) as (address, _):
        end = time.monotonic() + 20
        while not opened.exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert opened.read_text() == f"{address}\n"
