"""Which names of a recipe are likely to be of a key: such a value is refused, and never shown in a message."""

from __future__ import annotations

import re
from typing import Any

_SECRET = re.compile(
    r"(api|access|secret|private)[-_]?key|(?<!cache_)key$|(access|auth|hf|session)[-_]?token$|^token$|secret|password"
    r"|authorization|headers?$|bearer",
    re.IGNORECASE,
)


def is_secret(name: Any) -> bool:
    """Whether something of this name is likely to be a key, or to hold one."""
    return isinstance(name, str) and _SECRET.search(name) is not None


def secret_of(name: Any, value: Any) -> str | None:
    """The first name, of this or of a text within the value, that is likely to be of a key."""
    if is_secret(name):
        return str(name)
    inner = (
        value.items() if isinstance(value, dict) else ((None, one) for one in value) if isinstance(value, list) else ()
    )
    return next((found for key, one in inner if (found := _secret_within(key, one))), None)


def _secret_within(name: Any, value: Any) -> str | None:
    """The same of a value within another, where a name such as `key` may be one of a schema: a key is a text."""
    return secret_of(name if isinstance(value, str) else None, value)
