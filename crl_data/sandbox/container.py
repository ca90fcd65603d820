"""One container and the stream to the runner in it: what it may do, how it is started, how its bytes are told apart.

It lives as long as its stream: where this process ends, however it ends, the stream ends, and so do the runner and the
container, which the engine then removes.
"""

from __future__ import annotations

import contextlib
import io
import json
import select
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crl_data.sandbox import owner

MEMORY_MB = 8192
PROCESSES = 1024
_FOLDER = "/run/crl"
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_STDOUT = 1
_GRACE_S = 5.0
_RECEIVE_BYTES = 1 << 18

# Takes the runner's files from standard input, where its frames will follow, and becomes the runner.
_BOOTSTRAP = """
import io, os, sys, zipfile
def take(n):
    data = b""
    while len(data) < n:
        part = os.read(0, n - len(data))
        if not part:
            sys.exit("the stream ended early")
        data += part
    return data
files = zipfile.ZipFile(io.BytesIO(take(int.from_bytes(take(8), "little"))))
files.extractall(sys.argv[1])
os.execv(sys.executable, [sys.executable, "-S", "-s", "-P", sys.argv[1] + "/runner"])
"""

# Docker's own filter cannot stay: it forbids the calls that the runner raises its walls by. These are the calls that it
# forbids too and that neither the runner nor a solution needs. What a solution may call, the runner's filter decides.
_FORBIDDEN = (
    "acct",
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "get_kernel_syms",
    "get_mempolicy",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "pidfd_getfd",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "_sysctl",
    "sysfs",
    "syslog",
    "umount",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vm86",
    "vm86old",
)
_SECCOMP = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [  # calls by another table come to the runner's filter too, which refuses them
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        ],
        "syscalls": [{"names": list(_FORBIDDEN), "action": "SCMP_ACT_ERRNO", "args": []}],
    }
)


def create(api: Any, image: str, runtime: str | None) -> str:
    """Create a container that is nothing but the runner; its id. Raises `DockerException`."""
    host = api.create_host_config(
        network_mode="none",
        ipc_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", f"seccomp={_SECCOMP}", "apparmor=unconfined"],
        pids_limit=PROCESSES,
        mem_limit=f"{MEMORY_MB}m",
        memswap_limit=f"{MEMORY_MB}m",
        tmpfs={_FOLDER: "size=4m,mode=1777,exec"},
        auto_remove=True,
        log_config={"Type": "none"},  # else the engine would write every answer to its disk
        runtime=runtime,
    )
    host |= {"MaskedPaths": [], "ReadonlyPaths": []}  # so that the runner can mount a /proc of its own
    made = api.create_container(
        image,
        entrypoint=["python3", "-S", "-s", "-P", "-c", _BOOTSTRAP, _FOLDER],
        command=[],
        user="65534:65534",
        environment=_ENVIRONMENT,
        stdin_open=True,
        network_disabled=True,
        healthcheck={"test": ["NONE"]},
        labels={owner.LABEL: owner.identity()},
        host_config=host,
        working_dir="/",
    )
    identity: str = made["Id"]
    return identity


def sweep(api: Any) -> None:
    """Remove the containers whose owner is dead: one that was killed before it could start them leaves such."""
    from docker.errors import DockerException

    for found in api.containers(all=True, filters={"label": owner.LABEL}):
        if owner.is_dead(found["Labels"][owner.LABEL]):
            with contextlib.suppress(DockerException):  # another sweeps too
                api.remove_container(found["Id"], force=True)


class Container:
    """A runner in a container, started: a `Process`, and a stream.

    Orders are written to `fd` as they are. Answers are read by `read`: the engine sends standard output and standard
    error in frames of its own. Raises `DockerException` or `OSError` where it does not start; nothing is then left of it.
    """

    def __init__(self, api: Any, image: str, runtime: str | None) -> None:
        self._api = api
        self._said = b""
        self._ended = False
        self._received, self._at = b"", 0
        self._stream, self._left = 0, 0  # of the engine's frame that is being read: which, and how much is to come
        self.memory_mb = float(MEMORY_MB)
        self._identity = create(api, image, runtime)
        try:
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            attached = api.attach_socket(self._identity, params=params)
            stream = getattr(attached, "_sock", attached)
            stream.settimeout(None)
            plain = type(stream) is socket.socket
            self._socket = stream if plain else _carried(stream)
            self._attached = attached if plain else self._socket  # what holds the descriptor open
            api.start(self._identity)
            self._socket.sendall(_program())
        except BaseException:
            with contextlib.suppress(Exception):
                api.remove_container(self._identity, force=True)
            raise
        self.fd: int = self._socket.fileno()

    def read(self, _fd: int, size: int) -> bytes:
        """Some of standard output, at most so much; nothing at its end. What comes on standard error is kept."""
        while True:
            if self._at == len(self._received):
                self._received, self._at = self._socket.recv(_RECEIVE_BYTES), 0
                if not self._received:
                    return b""
            if self._left == 0:
                head = b""
                while len(head) < 8:
                    part = self._take(8 - len(head)) or self._socket.recv(8 - len(head))
                    if not part:
                        return b""
                    head += part
                self._stream, self._left = struct.unpack(">BxxxL", head)
                continue
            part = self._take(self._left if self._stream != _STDOUT else min(size, self._left))
            self._left -= len(part)
            if self._stream == _STDOUT:
                return part
            self._said = (self._said + part)[-4096:]

    def _take(self, size: int) -> bytes:
        part = self._received[self._at : self._at + size]
        self._at += len(part)
        return part

    def allow(self, memory_mb: float) -> None:
        """Let all in the container use so much memory together. Raises `DockerException`."""
        if memory_mb != self.memory_mb:
            limit = int(memory_mb * (1 << 20))
            self._api.update_container(self._identity, mem_limit=limit, memswap_limit=limit)
            self.memory_mb = memory_mb

    def kill(self) -> None:
        """End the stream, and with it the runner; nothing here waits for the engine, which may be gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> str:
        if self._ended:
            return ""
        self._ended = True
        self.kill()
        self._socket.close()
        with contextlib.suppress(OSError):
            self._attached.close()
        threading.Thread(target=self._see_that_it_ends, name="docker-end", daemon=True).start()
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _see_that_it_ends(self) -> None:
        """A runner that is at work notices the end of its stream when it next listens. It is not waited for any longer."""
        time.sleep(_GRACE_S)
        with contextlib.suppress(Exception):  # it has ended long ago, or the engine has
            self._api.kill(self._identity)


def _program() -> bytes:
    """The runner's files, as the bootstrap takes them: eight bytes of length, and a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        for path in sorted((Path(__file__).parent / "runner").glob("*.py")):
            files.write(path, f"runner/{path.name}")
    data = packed.getvalue()
    return struct.pack("<Q", len(data)) + data


def _carried(stream: Any) -> socket.socket:
    """A plain socket for a stream whose bytes are not those of its descriptor (TLS): a thread carries them over."""
    ours, theirs = socket.socketpair()
    pending: Callable[[], int] = getattr(stream, "pending", lambda: 0)

    def carry() -> None:
        with contextlib.suppress(OSError), contextlib.closing(stream), theirs:
            while True:
                ready = [stream] if pending() else select.select([stream, theirs], [], [])[0]
                for source, target in ((stream, theirs), (theirs, stream)):
                    if source in ready:
                        part = source.recv(1 << 16)
                        if not part:
                            return
                        target.sendall(part)

    threading.Thread(target=carry, name="docker-stream", daemon=True).start()
    return ours
