"""skin_ai: a second opinion on skin lesions from photo and words, for research."""

__version__ = "0.1.0"
