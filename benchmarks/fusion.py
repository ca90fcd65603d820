"""A service of SandboxFusion's `/run_code` as small as can be: what verl's client asks of it, with isolation `none`.

    python fusion.py [--at-once N]      prints its port, and ends when its standard input does

It is for benchmarks: it runs whatever it is sent, in no sandbox. As in SandboxFusion (bytedance/SandboxFusion 3d77020,
sandbox/runners/base.py), the code becomes a file, a shell starts `python` on it in a session of its own, the memory limit is
an rlimit, and the answer has a status of the run, its exit status, and what was written.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_MOST_BYTES = 1 << 20  # of an output that is kept


def run_code(order: dict[str, Any]) -> dict[str, Any]:
    """Run a program as the order says, and the answer to it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "main.py"
        path.write_text(order["code"], "utf-8", "surrogatepass")
        begun = time.monotonic()
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"{sys.executable} {path}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: _limit(int(order.get("memory_limit_MB") or 0) << 20),
        )
        late = False
        try:
            out, err = process.communicate((order.get("stdin") or "").encode(), order.get("run_timeout") or 10)
        except subprocess.TimeoutExpired:
            late = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if late:
            out, err = process.communicate()
    result = {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": time.monotonic() - begun,
        "return_code": None if late else process.returncode,
        "stdout": out[:_MOST_BYTES].decode("utf-8", "replace"),
        "stderr": err[:_MOST_BYTES].decode("utf-8", "replace"),
    }
    well = not late and process.returncode == 0
    return {"status": "Success" if well else "Failed", "message": "", "compile_result": None, "run_result": result}


def _limit(memory: int) -> None:
    if memory > 0:
        for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK):
            resource.setrlimit(which, (memory, resource.getrlimit(which)[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)))
    places = threading.Semaphore(parser.parse_args().at_once)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with places:
                answer = json.dumps(run_code(order)).encode()
            with contextlib.suppress(OSError):  # whoever asked may have gone
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # verl asks about all tests of a completion at once

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
