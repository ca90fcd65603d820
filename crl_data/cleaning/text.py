"""What of a text is compared: its words, without case, punctuation or the form of white space.

A change here changes what is a duplicate and what is contaminated: raise `NORMALISATION`, which stands in every manifest.
"""

from __future__ import annotations

import re
import unicodedata

NORMALISATION = 1

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W_]+")


def words(text: str) -> list[str]:
    """The runs of letters and digits of a text, by NFKC and in folded case.

    What is written without blanks (Chinese, Japanese, Korean) gives one word for each character.
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles(listed: list[str], n: int) -> list[str]:
    """All runs of n words; of a shorter text the whole of it. The words of one are joined by blanks."""
    return [" ".join(listed[start : start + n]) for start in range(max(1, len(listed) - n + 1))]
