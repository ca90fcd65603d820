"""What a judge found out lately, in this process: the same solution of the same problem, asked about again, is not run again.

A policy that trains writes the same program many times over. A verdict is a function of its inputs, and the key of what is kept
here is a hash of all of them; nothing is kept that a fault of ours had a part in (`Judge` sees to that).
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from crl_data.judging.limits import Calibration
from crl_data.judging.memory import Evidence, Suite


class Recent:
    """A `Memory` of the last `most` findings. What a reference showed the judge keeps itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Evidence] = OrderedDict()
        self._lock = threading.Lock()
        self.found = self.missed = 0

    def evidence(self, key: str, suite: Suite | None = None, max_timeouts: int = 1) -> Evidence | None:
        with self._lock:
            evidence = self._kept.get(key)
            if evidence is None:
                self.missed += 1
            else:
                self.found += 1
                self._kept.move_to_end(key)
            return evidence

    def keep_evidence(self, key: str, evidence: Evidence, suite: Suite | None = None) -> Evidence:
        with self._lock:
            kept = self._kept.setdefault(key, evidence)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return kept

    def calibration(self, key: str) -> Calibration | None:
        return None

    def wider_calibration(self, suite: Suite) -> Calibration | None:
        return None

    def keep_calibration(self, key: str, calibration: Calibration, suite: Suite | None = None) -> None:
        return None
