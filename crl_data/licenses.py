"""What sources call their licences, as the Hub calls them. Pure.

The identifiers are those of the Hub's documents (repositories-licenses). A card with another one than these is refused there,
unless it says `other` and gives a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

HUB_LICENSES = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
    artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0
    cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0
    cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
    epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl
    mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2
    gemma unknown other
    """.split()  # noqa: SIM905
)
UNKNOWN, OTHER = "unknown", "other"
_SAME = {
    "apache": "apache-2.0",
    "apache2": "apache-2.0",
    "apache-2": "apache-2.0",
    "apache2.0": "apache-2.0",
    "cc0": "cc0-1.0",
    "gplv2": "gpl-2.0",
    "gplv3": "gpl-3.0",
    "gpl-3": "gpl-3.0",
    "lgplv3": "lgpl-3.0",
    "agplv3": "agpl-3.0",
    "bsd3": "bsd-3-clause",
    "bsd2": "bsd-2-clause",
    "odbl-1.0": "odbl",
    "odc-by-1.0": "odc-by",
}


def hub_license(name: str) -> str | None:
    """The Hub's identifier of a licence; None where it has none. A licence that nobody stated is `unknown`."""
    slug = slug_of(name)
    if not slug:
        return UNKNOWN
    plain = re.sub(r"-?\b(the|licen[cs]e|version|international|only|or-later|public)\b-?", "-", slug).strip("-")
    plain = re.sub(r"-v(?=\d)", "-", re.sub(r"-+", "-", plain))
    for one in (slug, plain, _SAME.get(slug, ""), _SAME.get(plain, "")):
        if one in HUB_LICENSES:
            return one
    return None


def slug_of(name: str) -> str:
    """A name as an identifier: small letters, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.+]+", "-", name.lower()).strip("-.")


def card_licenses(names: Iterable[str]) -> dict[str, Any]:
    """What a card's metadata says of the licences of its sources, each of which may be several, parted by commas."""
    parts = sorted({part.strip() for name in names for part in (name.split(",") if name else [""])})
    known = sorted({hub_license(part) or OTHER for part in parts}) or [UNKNOWN]
    others = [slug_of(part) for part in parts if hub_license(part) is None]
    told: dict[str, Any] = {"license": known[0] if len(known) == 1 else known}
    if others:
        told["license_name"] = "-and-".join(others)[:90]
    return told
