"""Measures a bundle: figures, checks and comparisons."""
