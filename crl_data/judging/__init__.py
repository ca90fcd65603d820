"""The judge: which tests, what counts as the same output, when the evidence is enough for True or False. Policy only.

It starts no process; `crl_data.sandbox` does. `verdict` is the place to read why a solution was labelled as it was.
"""

from crl_data.judging.judge import Judge, Prepared
from crl_data.judging.memory import Evidence, Memory
from crl_data.judging.policy import JUDGE_VERSION, Isolation, LimitFrom, Policy, Timeouts

__all__ = ["JUDGE_VERSION", "Evidence", "Isolation", "Judge", "LimitFrom", "Memory", "Policy", "Prepared", "Timeouts"]
