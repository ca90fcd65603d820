"""A Hub on loopback to try things with, as the documents do: `python -m tests.hub` prints what to set, and serves until Ctrl-C.

Its one user is `me`, whose token is `hf_me`. What is pushed is gone when it ends.
"""

from __future__ import annotations

import contextlib
import threading

from tests.hub.server import HubServer, User

with HubServer(users={"hf_me": User("me")}) as hub:
    print("export HF_TOKEN=hf_me", *(f"{name}={value}" for name, value in hub.environment.items()), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
