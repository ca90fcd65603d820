"""Measurements of our own speed and memory: each module prints its figures. Nothing here is imported by the library."""
