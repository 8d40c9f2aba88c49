"""skin_ai: a second opinion on skin lesions from photo and words, for research."""

import os

__version__ = "0.1.0"

# Before torch is imported, on every way of starting. By default OpenMP's threads spin while they wait for one
# another: beside other programs a diagnosis then takes 5 to 30 s instead of 1 to 2 s. The runtimes of GNU,
# LLVM and Intel all read this standard variable.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
