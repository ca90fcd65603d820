"""The honest programs: right solutions that no judge may fail."""

from tests.honest.programs import HONEST, Honest

__all__ = ["HONEST", "Honest"]
