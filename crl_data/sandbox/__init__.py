"""The sandbox: run this code on that input under these limits, and say what happened. Mechanism, never policy.

It never sees an expected output and never says that something passed. What a program did is an `Observation`; what
failed on our side is an exception (`crl_data.errors`). The program that does the work is in `runner`; this package
starts it (`local`), talks to it (`client`) and says which walls stand.
"""

from crl_data.sandbox.client import Limits, Observation, Program, Runner, Session
from crl_data.sandbox.local import Sandbox, open_sandbox

__all__ = ["Limits", "Observation", "Program", "Runner", "Sandbox", "Session", "open_sandbox"]
