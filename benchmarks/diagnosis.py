"""From a 12-megapixel JPEG and words to the verdict, stage by stage: `python -m benchmarks.diagnosis`.

The extraction's time is in it, as "words"; what only marks the verdict comes after it and is printed apart.
"""

from __future__ import annotations

import io
import statistics
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from benchmarks.machine import machine, medians, took
from skin_ai.predict import heatmap_overlay
from skin_ai.predict.bundle import Bundle, bundle_names, load_bundle
from skin_ai.predict.diagnose import Diagnosis, marked, verdict
from skin_ai.predict.prepared_photo import prepare
from skin_ai.views.case import funnel, pictures
from skin_ai.views.case.samples import SAMPLES

RUNS = 15
TARGET, TARGET_RATIO = 250, 1.3  # milliseconds to the verdict; of the bare passes


def main() -> None:
    """Prints medians in milliseconds, and the whole as a ratio to the bare forward passes that it needs."""
    print(f"machine: {machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    photo, words = _twelve_megapixels(), SAMPLES[0].narrative
    for name in bundle_names():
        print(f"{name}, medians of {RUNS}")
        print(f"  load and verify the bundle: {took(partial(load_bundle, name)):.0f} ms")
        bundle = load_bundle(name)
        prompts = _prompts(photo, words, bundle)
        inputs = bundle.preprocessing(prepare(photo).square)
        runs, bare = [], []
        for _ in range(RUNS):  # alternating, so that a slow moment affects both
            runs.append(verdict(prepare(photo), words, bundle))
            bare.append(_bare_passes(inputs, words, bundle, prompts))
        for stage in runs[0].timings_ms:
            print(f"  {stage}: {statistics.median(run.timings_ms[stage] for run in runs):.1f} ms")
        print(f"  drawing: {medians([partial(_draw, runs[0])], RUNS)[0]:.1f} ms")
        image, language, reading = (statistics.median(column) for column in zip(*bare, strict=True))
        asked = sum(len(batch["input_ids"]) for batch in prompts)
        print(
            f"  bare passes: {bundle.views} views {image:.1f} ms, {asked} prompts in {len(prompts)} batches "
            f"{language:.1f} ms, extraction {reading:.1f} ms"
        )
        total = statistics.median(run.timings_ms["total"] for run in runs)
        ratio = total / (image + language + reading)
        print(f"  photo and words to the verdict: {total:.0f} ms (target {TARGET})")
        print(f"  ratio to the bare passes: {ratio:.2f} (target {TARGET_RATIO})")
        print(
            f"  stability, after the verdict: {medians([partial(marked, runs[0], bundle)], RUNS)[0]:.1f} ms"
        )


def _twelve_megapixels() -> bytes:
    file = io.BytesIO()
    Image.fromarray(SAMPLES[0].pixels()).resize((4000, 3000)).save(file, "JPEG", quality=92)
    return file.getvalue()


def _prompts(photo: bytes, words: str, bundle: Bundle) -> list[dict[str, Tensor]]:
    """The language model's batches up to the verdict, as token ids."""
    model, asked = bundle.language_model, []
    encode = model.encode

    def kept(*questions: object) -> dict[str, Tensor]:
        asked.append(encode(*questions))  # type: ignore[arg-type]
        return asked[-1]

    model.encode = kept  # type: ignore[method-assign]
    verdict(prepare(photo), words, bundle)
    del model.encode
    return asked


def _bare_passes(
    inputs: Tensor, words: str, bundle: Bundle, prompts: list[dict[str, Tensor]]
) -> tuple[float, float, float]:
    """Milliseconds of the image model for all views, of the language model, and of the extraction if any."""
    with torch.inference_mode():
        image = took(lambda: [bundle.image_model.feature_map(inputs) for _ in range(bundle.views)])
        language = took(lambda: [bundle.language_model.classifier(**batch) for batch in prompts])
        extractor = bundle.extractor
        encoded = extractor.encode([words]) if extractor else None
        reading = took(lambda: extractor(encoded)) if extractor else 0.0
    return image, language, reading


def _draw(diagnosis: Diagnosis) -> None:
    """One map over the photo, and the funnel."""
    assert diagnosis.square is not None
    square = pictures.smaller(diagnosis.square)
    scale = heatmap_overlay.common_scale(diagnosis.heatmaps)
    evidence = diagnosis.heatmaps[diagnosis.recommendations[0].type]
    heatmap_overlay.on_photo(square, heatmap_overlay.overlay(evidence, scale, len(square)), 0.6)
    funnel.html(diagnosis.steps, diagnosis.undecided)


if __name__ == "__main__":
    main()
