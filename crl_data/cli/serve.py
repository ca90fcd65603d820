"""`crl-data serve`."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys

from crl_data import __version__
from crl_data.errors import InputError
from crl_data.judging import Judge, Policy
from crl_data.service.server import Service, bind, serve


def run(
    host: str,
    port: int,
    token: str | None,
    jobs: int | None,
    sandbox: str,
    allow_weak: bool,
    queue: int | None,
    libraries: str,
    as_json: bool,
) -> None:
    """Answer requests until it is interrupted. Always raises."""
    if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
        raise InputError(
            "--token: expected printable ASCII without blanks, got something else (CRL_DATA_TOKEN counts too)"
        )
    named = tuple(name.strip() for name in libraries.split(",") if name.strip())
    with (
        bind(host, port) as at,
        Judge(jobs=jobs, sandbox=sandbox, allow_weak=allow_weak, policy=Policy(libraries=named)) as judge,
    ):

        def ready(service: Service) -> None:
            _say(service, at, token, as_json)

        serve(lambda: Service(judge, queue=queue, token=token, version=__version__), at, ready)
    raise KeyboardInterrupt


def _say(service: Service, at: socket.socket, token: str | None, as_json: bool) -> None:
    """Where it listens, first of all; then what whoever started it should know."""
    address, port = at.getsockname()[:2]
    url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    judge = service.judge
    print(
        f"listening on {url} ({judge.jobs} jobs, {service.admitted_limit} requests admitted, "
        f"{'a token is asked for' if token else 'no token'}, sandbox {judge.sandbox.backend})",
        file=sys.stderr,
        flush=True,
    )
    if judge.sandbox.note:
        print(judge.sandbox.note, file=sys.stderr, flush=True)
    if token is None and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        print(
            f"warning: whoever reaches {url} can run code here: set CRL_DATA_TOKEN, or --host 127.0.0.1",
            file=sys.stderr,
            flush=True,
        )
    if as_json:
        print(json.dumps({"url": url, "port": port, **service.health()}), flush=True)
