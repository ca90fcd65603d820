import json
import os
import sys

JOB = json.load(sys.stdin)
TESTS = JOB["tests"]
KIND, CODE, ENTRY, SETUP, RULE = (JOB[name] for name in ("kind", "code", "entry", "setup", "rule"))


def verdict(right):
    sys.stdout.flush()
    os.write(1, b"\nVERDICT " + (b"right" if right else b"wrong") + b"\n")
    os._exit(0)


def in_child(work):
    """Run `work` in a forked child whose standard output is a file; its exit status (negative: a signal) and that file."""
    output = os.open("/tmp/output", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    pid = os.fork()
    if pid == 0:
        os.closerange(256, 4096)  # what is our own sandbox's
        os.dup2(output, 1)
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)
        status = 1
        try:
            work()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            pass
        try:
            import atexit

            atexit._run_exitfuncs()
            sys.stdout.flush()
        finally:
            os._exit(status & 255)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    size = os.fstat(output).st_size
    written = os.pread(output, size, 0)
    os.close(output)
    return status, written


def program(text):
    """Run the solution as a program on an input, in this process."""
    source = os.open("/tmp/input", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.write(source, text.encode())
    os.lseek(source, 0, 0)
    os.dup2(source, 0)
    sys.stdin = open(0, closefd=False)
    exec(compile(CODE, "solution.py", "exec"), {"__name__": "__main__"})


def assertions():
    """Every test as an assertion in source."""
    if KIND == "assert":
        return [given for given, _ in TESTS]
    return [f"assert {call(given)} == {json.loads(expected)!r}" for given, expected in TESTS]


def call(given):
    return f"{ENTRY}({', '.join(map(repr, json.loads(given)))})"
