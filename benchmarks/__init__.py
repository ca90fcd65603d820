"""Measurements of this project's own speed and memory; each module is one benchmark, `python -m benchmarks.NAME`."""
