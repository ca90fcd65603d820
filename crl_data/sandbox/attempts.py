"""What code under judgement could try against the walls: a program that `checks` has a sandbox run, one attempt a test.

It reads {"try": name, ...} from standard input, with facts about this machine that a real attacker would have to guess.
An attempt returns what it got done, or nothing; where it is refused, it raises `OSError`. It never does harm where a wall
is missing: it signals and reads only what `checks` has put there. It is never imported; standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
from typing import Any

Facts = dict[str, Any]
_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int | None, *arguments: int) -> int:
    """A system call by its number; `OSError` where it is refused."""
    if number is None:
        raise OSError(38, "no such call on this machine")
    result: int = _libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# --- network ----------------------------------------------------------------------------------------------------------


def connect(facts: Facts) -> str:
    socket.create_connection(("127.0.0.1", facts["port"]), 1)
    return "connected to a port of this machine"


def sockets(facts: Facts) -> str:
    opened = []
    for family in range(2, 46):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind).close()
                opened.append(str(family))
            except OSError:
                continue
    return _listed("opened sockets of the families", sorted(set(opened)))


def local_socket(facts: Facts) -> str:
    one = socket.socket(socket.AF_UNIX)
    one.connect(facts["socket"])
    return "connected to a local socket by its path"


def abstract_socket(facts: Facts) -> str:
    one = socket.socket(socket.AF_UNIX)
    one.connect("\0" + facts["abstract"])
    return "connected to an abstract socket"


# --- files ------------------------------------------------------------------------------------------------------------


def read_file(facts: Facts) -> str:
    with open(facts["file"]) as file:
        return f"read {file.read(20)!r} from a file of this user"


def see_file(facts: Facts) -> str:
    return f"saw that a file of this user is there, of {os.stat(facts['file']).st_size} bytes"


def list_folder(facts: Facts) -> str:
    return _listed("listed a folder of this user:", os.listdir(facts["folder"]))


def write_file(facts: Facts) -> str:
    with open(facts["file"], "a") as file:
        file.write("x")
    return "wrote to a file of this user that is open to all"


def change_file(facts: Facts) -> str:
    os.chmod(facts["file"], 0o666)
    return "changed the mode of a file of this user"


def write_elsewhere(facts: Facts) -> str:
    made = []
    for folder in (facts["folder"], "/", "/etc", "/usr", "/var/tmp", "/root", "/home", "/run"):
        try:
            path = os.path.join(folder, f"crl-attempt-{os.getpid()}")
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
            os.unlink(path)
            made.append(folder)
        except OSError:
            continue
    return _listed("made files in", made)


def environment(facts: Facts) -> str:
    told = [name for name, value in facts["environment"].items() if os.environ.get(name) == value]
    if told:
        return _listed("saw the environment variables", told)
    with open(f"/proc/{facts['judge']}/environ", "rb") as file:
        return f"read {len(file.read())} bytes of the judge's environment"


def packages(facts: Facts) -> str:
    with open(facts["package"]) as file:
        return f"read {len(file.read())} characters of a package that no library names"


# --- processes --------------------------------------------------------------------------------------------------------


def see_processes(facts: Facts) -> str:
    try:
        os.kill(facts["victim"], 0)
    except PermissionError:
        return "saw that a process is there"
    except OSError:
        pass
    others = {name for name in os.listdir("/proc") if name.isdigit()} - {os.readlink("/proc/self")}
    return _listed("saw the processes", sorted(others))


def signal_other(facts: Facts) -> str:
    os.kill(facts["victim"], signal.SIGTERM)
    return "sent a signal to another process"


def end_parent(facts: Facts) -> str:
    if os.getppid() == 1:  # of its own namespace: the kernel lets the signal drop, and the next attempt shows it
        os.kill(1, signal.SIGKILL)
        return ""
    os.kill(os.getppid(), signal.SIGKILL)
    return "sent a signal to the process that ran it"


def trace(facts: Facts) -> str:
    _call(facts["calls"]["ptrace"], 16, facts["victim"], 0, 0)
    return "traced another process"


def read_memory(facts: Facts) -> str:
    with open(f"/proc/{facts['victim']}/mem", "rb"):
        return "opened the memory of another process"


def read_memory_by_call(facts: Facts) -> str:
    buffer = ctypes.create_string_buffer(8)
    span = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    _call(facts["calls"]["process_vm_readv"], facts["victim"], ctypes.addressof(span), 1, ctypes.addressof(span), 1, 0)
    return "read the memory of another process"


def take_descriptor(facts: Facts) -> str:
    _call(facts["calls"]["pidfd_getfd"], os.pidfd_open(facts["victim"]), 0, 0)
    return "took a file descriptor of another process"


def limit_other(facts: Facts) -> str:
    _call(facts["calls"]["prlimit64"], facts["victim"], 7, 0, ctypes.addressof(ctypes.create_string_buffer(16)))
    return "looked at the limits of another process"


# --- rights, namespaces, calls ----------------------------------------------------------------------------------------


def become_root(facts: Facts) -> str:
    os.setuid(0)
    return "became root"


def same_user(facts: Facts) -> str:
    return "runs as the user that judges" if os.getuid() == facts["user"] else ""


def host_name(facts: Facts) -> str:
    return "saw the name of this machine" if os.uname().nodename == facts["host"] else ""


def shared_memory(facts: Facts) -> str:
    _call(facts["calls"]["shmget"], 0, 4096, 0o1600)
    return "made shared memory of System V"


def message_queue(facts: Facts) -> str:
    _call(facts["calls"]["msgget"], 0, 0o1600)
    return "made a message queue of System V"


def new_namespaces(facts: Facts) -> str:
    made = []
    for name, flag in facts["namespaces"].items():
        try:
            _call(facts["calls"]["unshare"], flag)
            made.append(name)
        except OSError:
            continue
    return _listed("made namespaces:", made)


def namespaces_by_clone(facts: Facts) -> str:
    pid = _call(facts["calls"]["clone"], facts["namespaces"]["user"] | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return "made a process in a new user namespace"


def mount(facts: Facts) -> str:
    if _libc.mount(b"none", os.getcwd().encode(), b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "mounted a file system"


def change_root(facts: Facts) -> str:
    os.chroot(".")
    return "changed its root"


def keyring(facts: Facts) -> str:
    _call(facts["calls"]["keyctl"], 0, -3, 1)
    return "reached the keyring of its session"


def io_uring(facts: Facts) -> str:
    _call(facts["calls"]["io_uring_setup"], 1, ctypes.addressof(ctypes.create_string_buffer(120)))
    return "made an io_uring"


def kernel_programs(facts: Facts) -> str:
    done = []
    for name, arguments in (("bpf", (0, 0, 0)), ("perf_event_open", (0, 0, -1, -1, 0)), ("userfaultfd", (0,))):
        try:
            _call(facts["calls"][name], *arguments)
            done.append(name)
        except OSError as error:
            if error.errno not in (1, 13, 38):  # it got as far as its arguments
                done.append(name)
    return _listed("the kernel carried out", done)


def other_table(facts: Facts) -> str:
    _call(0x40000000 | 39)  # getpid, in the table of x32
    return "made a call by the other table"


def old_table(facts: Facts) -> str:
    """int 0x80, by which a 64-bit program of x86 makes the calls of 32-bit ones: the kernel ends it."""
    import mmap

    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
    made = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    return f"made a call by the table of 32-bit programs ({made()})"


def write_beside(facts: Facts) -> str:
    os.mkdir(os.path.join(os.path.dirname(os.getcwd()), "crl-attempt"))
    return "made a folder outside the scratch folders"


# --- limits -----------------------------------------------------------------------------------------------------------


def memory(facts: Facts) -> str:
    taken = bytearray(facts["memory"] // 8 * 9)
    return f"took {len(taken) >> 20} MB"


def memory_of_many(facts: Facts) -> str:
    for _ in range(10):
        if os.fork() == 0:
            taken = bytearray(facts["memory"] // 4 * 3)
            taken[::4096] = b"x" * len(taken[::4096])
            time.sleep(5)
            os._exit(0)
    if any(os.wait()[1] for _ in range(10)):
        raise OSError(12, "some of its processes were ended")
    return f"took {facts['memory'] * 10 // 4 * 3 >> 20} MB in ten processes"


def cpu_time(facts: Facts) -> str:
    while True:
        pass


def idleness(facts: Facts) -> str:
    time.sleep(3600)
    return "slept for an hour"


def processes(facts: Facts) -> str:
    for made in range(4 * facts["processes"]):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        except OSError:
            if made <= facts["processes"]:
                raise
            return f"made {made} processes"
    return f"made {4 * facts['processes']} processes"


def open_files(facts: Facts) -> str:
    kept = [os.dup(0) for _ in range(4 * facts["files"])]
    return f"opened {len(kept)} files"


def output(facts: Facts) -> str:
    for _ in range(4):
        os.write(1, b"x" * facts["output"])
    return "wrote four times as much as may be"


def disk(facts: Facts) -> str:
    begun, written = time.monotonic(), 0
    while written < 8 * facts["scratch"] and time.monotonic() - begun < 5:
        with open(f"f{written}", "wb") as file:
            written += file.write(b"x" * min(4 << 20, facts["output"] // 2))
    time.sleep(0.1)  # where it is not the kernel that counts
    return f"wrote {written >> 20} MB of files"


def core_file(facts: Facts) -> str:
    import resource

    return "may leave a core file" if resource.getrlimit(resource.RLIMIT_CORE)[1] else ""


# --- what is left behind ----------------------------------------------------------------------------------------------


def leave_a_process(facts: Facts) -> str:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                with open("ghost", "w"):
                    time.sleep(0.002)
        os._exit(0)
    os.wait()
    time.sleep(0.02)
    return ""


def find_what_was_left(facts: Facts) -> str:
    time.sleep(0.05)
    return _listed("found what another solution left:", os.listdir("."))


def _listed(text: str, found: list[str]) -> str:
    return f"{text} {', '.join(found[:6])}{', ...' if len(found) > 6 else ''}" if found else ""


def main() -> None:
    facts = json.loads(sys.stdin.read())
    try:
        answer = {"done": globals()[facts["try"]](facts)}
    except OSError as error:
        answer = {"refused": error.strerror or str(error)}
    print(json.dumps(answer), end="")


if __name__ == "__main__":
    main()
