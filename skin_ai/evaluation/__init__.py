"""Measures what training made: figures with their intervals."""
