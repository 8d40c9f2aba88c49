"""Keeps uploaded files in memory and off the disk."""

import sys

from starlette.formparsers import MultiPartParser


def keep_off_the_disk() -> None:
    """Without it the server writes every file of more than a megabyte to the disk while it comes in."""
    MultiPartParser.spool_max_size = sys.maxsize
