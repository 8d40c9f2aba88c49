"""`data`: fetches public data sets."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    data = commands.add_parser("data", help="fetches a public data set to train on")
    sets = data.add_subparsers(required=True, metavar="DATASET")
    command = sets.add_parser("scin", help="SCIN's tables and photos, resumable")
    command.add_argument("folder", type=Path, metavar="FOLDER")
    command.add_argument("--from", dest="base", metavar="URL", help="another copy of SCIN's bucket")
    command.set_defaults(run=fetch_scin)


def fetch_scin(options: argparse.Namespace) -> int:
    from skin_ai.training import scin_download
    from skin_ai.training.datasets import DatasetError

    print(scin_download.LICENCE, flush=True)
    try:
        fetched = scin_download.fetch_scin(options.folder, options.base or scin_download.BUCKET)
    except (scin_download.DownloadError, DatasetError, OSError) as error:
        print(f"skin_ai: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder}: {fetched.cases:,} cases and {fetched.photos:,} photos are there")
    if fetched.not_there:
        print(f"Not in the bucket ({len(fetched.not_there)}): {', '.join(fetched.not_there)}")
    return 0
