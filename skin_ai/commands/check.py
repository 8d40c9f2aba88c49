"""`check`: whether this installation is complete: versions, bundles, settings, data folder and database."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import stat
from collections.abc import Iterator
from itertools import chain
from typing import Any

from packaging.requirements import Requirement

from skin_ai import settings
from skin_ai.predict.bundle import WEIGHTS, BundleError, bundle_names, load_bundle

LEAST_FREE = 1 << 30  # bytes: photos, copies before a migration, and a backup need room


def add_parser(commands: Any) -> None:
    command = commands.add_parser("check", help="weights, settings and versions; says what is wrong")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    wrong = 0
    for problem in chain(_versions(), _bundles(), _settings(), _data_folder()):
        print(problem)
        wrong += 1
    print("all is well" if not wrong else f"{wrong} found wrong")
    return 1 if wrong else 0


def _versions() -> Iterator[str]:
    requirements = WEIGHTS.parent / "requirements.txt"
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():  # of another system
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        if found == "not installed" or not requirement.specifier.contains(found):
            pinned = str(requirement.specifier).removeprefix("==")
            yield f"{requirement.name}: {found}, but {pinned} is pinned; run pip install -r requirements.txt"


def _bundles() -> Iterator[str]:
    names = bundle_names()
    if not names:
        yield f"No bundle in {WEIGHTS}; restore the folder from the repository."
    for name in names:
        try:
            bundle = load_bundle(name)
        except BundleError as error:
            yield str(error)
        else:
            print(f"bundle {name}: {len(bundle.types)} types, every checksum right")


def _settings() -> Iterator[str]:
    print(*settings.described(), sep="\n")
    config = WEIGHTS.parent / ".streamlit" / "config.toml"
    if not config.is_file():
        yield f"{config} is missing: telemetry would be on; restore it from the repository."


def _data_folder() -> Iterator[str]:
    from skin_ai.study.database import StoreError, state

    folder = settings.current().data
    try:
        print(f"database: {state()}")
    except StoreError as error:
        yield str(error)
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        yield f"{folder} cannot be used: {place} is not a folder that this account may write to."
        return
    if not folder.is_dir():
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        yield f"{folder} can be read by others (mode {mode:o}): run chmod 700 {folder}"
    free = shutil.disk_usage(folder).free
    print(f"data folder: {folder}, {free / 1e9:.0f} GB free")
    if free < LEAST_FREE:
        yield f"The disk of {folder} is nearly full: make room, or set SKIN_AI_DATA to another one."
