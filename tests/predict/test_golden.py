"""The shipped bundle's answers to two drawn samples.

After new weights: python -m pytest -n 0 tests/predict/test_golden.py --rewrite-golden
"""

import json
from pathlib import Path

import pytest
from drawn_cases import as_jpeg
from drawn_samples import SAMPLES

from skin_ai.predict.bundle import IMAGE_FILE, LANGUAGE_BASE_FILE, LANGUAGE_FILE
from skin_ai.predict.diagnose import diagnose
from skin_ai.predict.prepared_photo import prepare

GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 0.02  # of a probability: processors round differently
REWRITE = "python -m pytest -n 0 tests/predict/test_golden.py --rewrite-golden"


def identity(bundle):
    """Name and checksums of the weights that the outputs belong to."""
    return {"name": bundle.name} | {
        name: bundle.manifest["files"][name] for name in (IMAGE_FILE, LANGUAGE_BASE_FILE, LANGUAGE_FILE)
    }


def outputs(bundle):
    """Sample -> recommendations, answer and single pass, each as type -> probability."""
    found = {}
    for sample in SAMPLES[:2]:
        result = diagnose(prepare(as_jpeg(sample.draw())), sample.narrative, bundle)
        found[sample.name] = {
            part: {item.type: round(item.probability, 4) for item in getattr(result, part)}
            for part in ("recommendations", "answer", "single_pass")
        }
    return found


def test_shipped_bundle_says_what_it_said_before(bundle, request):
    if request.config.getoption("--rewrite-golden"):
        content = {"bundle": identity(bundle), "samples": outputs(bundle)}
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        pytest.skip(f"{GOLDEN.name} is written anew: look at the difference before it is committed.")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden["bundle"] == identity(bundle), f"bundle changed, rewrite golden: {REWRITE}"
    found = outputs(bundle)
    assert found.keys() == golden["samples"].keys()
    for sample, parts in golden["samples"].items():
        for part, expected in parts.items():
            assert found[sample][part] == pytest.approx(expected, abs=TOLERANCE), f"{sample}: {part}"
