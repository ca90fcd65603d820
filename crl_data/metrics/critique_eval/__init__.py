"""A module of `evaluate`: critique_eval.py is loaded by its path."""
