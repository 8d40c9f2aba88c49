"""Benchmarks; each prints the machine it ran on."""
