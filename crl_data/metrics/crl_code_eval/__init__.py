"""A module of `evaluate`: crl_code_eval.py is loaded by its path."""
