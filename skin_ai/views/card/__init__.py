"""The Model card page."""
