"""The process in which a solution runs: one test, or several one after another, each as a fresh start of the program.

It runs beside the solution, so nothing it says counts but the answer: what stands in the output file, or the value that
the code under test returned. Whatever here looks like bookkeeping serves honest programs only.

Four ways to run a test (`MODES`):
    stdin     the solution as a file, as `__main__`, with real descriptors 0 and 1
    calls     the module executed once; calls of the entry point with arguments from outside, values back
    beside    the module executed afresh, then a test written as Python source in the same process (not tamper-proof)
    served    calls that come one at a time from a test elsewhere (`served`)
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import _warnings
import atexit
import builtins
import gc
import io
import json
import os
import random
import resource
import signal
import socket
import struct
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from . import leetcode, modules, values

MODES = ("stdin", "calls", "beside", "served")
GO = struct.Struct(
    "<IQBBI"
)  # sequence, seed, 1 if no test follows, 1 if the argument is in a file, its size | the argument
DONE = struct.Struct(
    "<IBBBiQI"
)  # sequence, status, 1 if the process is spent, 1 if the answer is inline, code, KiB, sizes
RETURNED, RAISED, LOAD_FAILED, MISSING = range(4)  # status
INLINE_BYTES = 32 << 10
NOTE_BYTES = 1500
SOLUTION_FILE = "solution.py"
_FRAMES_BELOW = 5  # from where a child is forked to the code that is judged, less those of `expect`
_DYING = frozenset({"__del__", "open", "fdopen", "finalize"})  # names of what shows at the end of a program

# The descriptors that every process of a runner keeps; all above what a solution is allowed to open itself.
CONTROL_FD, INPUT_FD, OUTPUT_FD, NULL_FD = 701, 702, 703, 704

Answer = tuple[int, int, bytes, str]  # status, exit code, answer, note


class Program:
    """What is run: the compiled solution, how its tests run it, and what every start of it needs.

    It is made in the zygote, before there is a solution, and told of it in the cell (`load`), before any process is forked
    that runs it: what is made there is made once, and a page of memory that the child need not write to is a page that
    need not be copied.
    """

    code: types.CodeType
    mode: str
    entry: str | None
    run: Callable[[Program, bytes], Answer]
    message_bytes: int
    prelude: types.CodeType | None
    prelude_source: str
    dies_aloud: bool

    def __init__(self, box: str, path: list[str]) -> None:
        self.work = os.path.join(box, "work")
        self.file = os.path.join(box, SOLUTION_FILE)
        self.module: types.ModuleType | None = None
        self.given: dict[str, Any] = {}
        self.load_error: Answer | None = None
        self.first_streams = sys.stdin, sys.stdout, sys.stderr  # to be let go of is work for each child
        self.streams_are_new = False
        self.only_test = False
        sys.argv = [self.file]
        sys.path[:] = path
        self.baseline = State()

    def load(
        self,
        code: types.CodeType,
        mode: str,
        entry: str | None,
        prelude: str = "",
        without: list[str] | None = None,
    ) -> None:
        """Take a solution and the way in which its tests run it; with LeetCode's names, `without` some, or with none."""
        self.code = code
        self.mode = mode
        self.entry = entry
        self.run = {"stdin": _run_stdin, "calls": _run_calls, "beside": _run_beside}.get(mode, _run_calls)
        self.message_bytes = GO.size + (0 if mode == "stdin" else INLINE_BYTES)
        self.prelude = compile(prelude, "<test set-up>", "exec") if mode == "beside" else None
        self.prelude_source = prelude
        names = _names(code)
        self.dies_aloud = not _DYING.isdisjoint(names)
        if without is not None:
            self.given = leetcode.given(names.difference(without))
            self.baseline.modules |= sys.modules.keys()

    def expect(self, open_files: tuple[int, int]) -> None:
        """Say what a child sets for itself, so that it does not pass for the solution's doing; called where it is forked."""
        self.baseline.take_process()
        self.baseline.limits[LIMITS.index(resource.RLIMIT_NOFILE)] = open_files
        frames, frame = _FRAMES_BELOW, sys._getframe()
        while frame.f_back is not None:
            frames, frame = frames + 1, frame.f_back
        self.baseline.recursion += frames  # what a program can use is what an interpreter of its own would give it
        sys.setrecursionlimit(self.baseline.recursion)

    def open_streams(self) -> None:
        """Open standard input, output and error, for one test."""
        sys.stdin = sys.__stdin__ = _open_text(0, "r", "<stdin>")  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = _open_text(1, "w", "<stdout>")  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = _open_text(2, "w", "<stderr>")  # type: ignore[misc]
        self.streams_are_new = True


def _names(code: types.CodeType) -> set[str]:
    """All names in a code object and those within it."""
    found: set[str] = set()
    waiting = [code]
    while waiting:
        one = waiting.pop()
        found.update(one.co_names, (one.co_name,))
        waiting += [part for part in one.co_consts if isinstance(part, types.CodeType)]
    return found


# --- the loop ---------------------------------------------------------------------------------------------------------


def serve(program: Program, control: socket.socket) -> None:
    """Run tests as they come, until there are no more or this process is spent. Never returns."""
    if program.mode != "stdin":
        for fd in (0, 1, 2):
            os.dup2(NULL_FD, fd)
    os.register_at_fork(after_in_child=_after_fork)
    receive, send, leave = control.recv, control.send, os._exit
    while True:
        message = receive(program.message_bytes)
        if not message:
            leave(0)
        exit_status, answer = _answer(program, message)
        try:
            send(answer)
        except OSError:  # the solution closed every descriptor that it found: let the end of the process speak
            leave(exit_status)


def _answer(program: Program, message: bytes) -> tuple[int, bytes]:
    """Run one test; the exit status that a process would have for it, and what is said about it."""
    sequence, seed, last, in_file, size = GO.unpack_from(message)
    argument = message[GO.size :] if not in_file else b"" if program.mode == "stdin" else os.pread(INPUT_FD, size, 0)
    seed_all(seed)
    os.chdir(program.work)
    program.only_test = bool(last)
    status, code, answer, note = program.run(program, argument)
    spent = last or program.baseline.restore()
    note_bytes = note.encode("utf-8", "replace")[:NOTE_BYTES]
    inline = len(answer) <= INLINE_BYTES - NOTE_BYTES - DONE.size
    if not inline:
        os.ftruncate(OUTPUT_FD, 0)
        os.pwrite(OUTPUT_FD, answer, 0)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    head = DONE.pack(sequence, status, spent, inline, code, peak_kib, len(note_bytes))
    return code if status == RETURNED else code or 1, head + note_bytes + (answer if inline else b"")


def _after_fork() -> None:
    """What `import random` and `import threading` have done in a process that a solution forks; see `__main__`."""
    random.seed()
    threading._after_fork()  # type: ignore[attr-defined]


def rehearse(program: Program) -> None:
    """Do all that `serve` does for one test, without a judge: for the dry run of `cell`."""
    argument = b"" if program.mode == "stdin" else b'[{"args": [[1, 2.5, {"tuple": ["a", null]}]]}]'
    _answer(program, GO.pack(1, 1, False, program.mode == "stdin", len(argument)) + argument)


def add_site_names() -> None:
    """`exit`, `help` and the like, which an interpreter that was started without `site` lacks."""
    import _sitebuiltins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _sitebuiltins._Helper()
    for name in ("copyright", "credits", "license"):
        setattr(builtins, name, _sitebuiltins._Printer(name, "See https://www.python.org/psf/license/"))


def seed_all(seed: int) -> None:
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(seed & 0xFFFFFFFF)


# --- a program that reads and prints ----------------------------------------------------------------------------------


def _run_stdin(program: Program, argument: bytes) -> Answer:
    os.dup2(INPUT_FD, 0)
    os.dup2(OUTPUT_FD, 1)
    os.dup2(NULL_FD, 2)
    os.lseek(0, 0, os.SEEK_SET)
    os.lseek(1, 0, os.SEEK_SET)
    if not program.streams_are_new:
        program.open_streams()
    program.streams_are_new = False
    stdout: io.TextIOWrapper = sys.stdout  # type: ignore[assignment]
    namespace = _new_module("__main__", program).__dict__
    status, code, note = _run(program.code, namespace)
    try:
        end_program(stdout)
        if program.dies_aloud:  # as the interpreter: finalizers see their globals whole
            del namespace
            sys.modules.pop("__main__", None)
            gc.collect()
        else:
            namespace.clear()
        _flush_original(stdout)
    except BaseException as error:
        if status == RETURNED:
            status, code, note = RAISED, 120, describe(error)
    return status, code, b"", note


def _open_text(fd: int, mode: str, name: str) -> io.TextIOWrapper:
    raw = io.FileIO(fd, mode, closefd=False)
    raw.name = name
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    stream = io.TextIOWrapper(buffer, "utf-8", "backslashreplace" if fd == 2 else "strict", line_buffering=fd == 2)
    stream.mode = mode  # type: ignore[misc]  # as `open` and the interpreter do
    return stream


def _new_module(name: str, program: Program) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(__file__=program.file, __builtins__=builtins)
    sys.modules[name] = module
    return module


def _run(code: types.CodeType, namespace: dict[str, Any]) -> tuple[int, int, str]:
    """Execute, and say how it ended, as the interpreter would: status, exit code, note."""
    try:
        exec(code, namespace)
        return RETURNED, 0, ""
    except SystemExit as end:
        return _exit_status(end)
    except BaseException as error:
        hook = sys.excepthook
        if hook is not sys.__excepthook__:  # it may print
            try:
                hook(type(error), error, error.__traceback__)
            except BaseException:
                pass
        return RAISED, 1, describe(error)


def _exit_status(end: SystemExit) -> tuple[int, int, str]:
    code = end.code
    if code is None:
        return RETURNED, 0, ""
    if isinstance(code, int):
        return (RETURNED, 0, "") if code & 0xFF == 0 else (RAISED, code & 0xFF, f"exit status {code & 0xFF}")
    return RAISED, 1, f"sys.exit({str(code)[:200]!r})"


def describe(error: BaseException) -> str:
    """One line: the exception, its message, and the line of the solution where it came from."""
    try:
        text = str(error)
    except BaseException:
        text = ""
    line = 0
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.endswith(SOLUTION_FILE):
            line = step.tb_lineno
        step = step.tb_next
    text = " ".join(text.split())[:300]
    where = f" (line {line})" if line else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"


def end_program(stdout: io.TextIOWrapper) -> None:
    """What the interpreter does first at the end: threads joined, exit functions called, output written."""
    _join_threads()
    if atexit._ncallbacks():
        atexit._run_exitfuncs()
        _register_again()
    _flush(stdout)


def _flush(stdout: io.TextIOWrapper) -> None:
    current = sys.stdout
    if current is not None and not getattr(current, "closed", False):
        current.flush()
    _flush_original(stdout)


def _flush_original(stdout: io.TextIOWrapper) -> None:
    try:
        stdout.flush()
    except ValueError:  # closed, or detached from its buffer
        pass


def _join_threads() -> None:
    """What `threading._shutdown` does, in a form that can be done again for the next test."""
    if not _thread._count() and not threading._threading_atexits:  # type: ignore[attr-defined]
        return
    for callback in reversed(list(threading._threading_atexits)):  # type: ignore[attr-defined]
        callback()
    pool = sys.modules.get("concurrent.futures.thread")
    if pool is not None:
        pool._shutdown = False  # type: ignore[attr-defined]
    current = threading.current_thread()
    for thread in threading.enumerate():
        if thread is not current and not thread.daemon:
            thread.join()


def _register_again() -> None:
    """The exit functions of standard modules, which register them once, when they are imported."""
    for name, attribute in (("logging", "shutdown"), ("multiprocessing.util", "_exit_function")):
        module = sys.modules.get(name)
        if module is not None:
            atexit.register(getattr(module, attribute))


# --- code that is called ----------------------------------------------------------------------------------------------


def _run_calls(program: Program, argument: bytes) -> Answer:
    if program.module is None and program.load_error is None:
        program.module, program.load_error = load(program)
        if not program.only_test:
            program.baseline.take()  # what the module sets when it is imported is the program's, not one test's
    if program.load_error is not None or program.module is None:
        return program.load_error or (LOAD_FAILED, 1, b"", "")
    function, missing = _find(program.module, program.entry or "")
    if function is None:
        return MISSING, 1, b"", missing
    results: list[dict[str, Any]] = []
    for call in json.loads(argument):
        results.append(_call(function, call))
        if "value" not in results[-1]:
            break
        if not isinstance(program.entry, str) or "." in program.entry:
            function, missing = _find(program.module, program.entry or "")  # a new object for every call
            if function is None:
                return MISSING, 1, b"", missing
    text = json.dumps(results, ensure_ascii=False, separators=(",", ":"))
    answer = text.encode("utf-8", "surrogatepass")
    if len(answer) > values.MAX_BYTES:
        return RAISED, 1, b"", f"an answer of {len(answer):,} bytes (at most {values.MAX_BYTES:,})"
    return RETURNED, 0, answer, ""


def load(program: Program) -> tuple[types.ModuleType | None, Answer | None]:
    sys.modules["__main__"] = types.ModuleType("__main__")  # there is one in every interpreter: doctest looks for it
    module = _new_module("solution", program)
    module.__dict__.update(program.given)
    try:
        exec(program.code, module.__dict__)
        return module, None
    except SystemExit:
        return None, (LOAD_FAILED, 1, b"", "the program ended while it was being loaded (sys.exit)")
    except BaseException as error:
        return None, (LOAD_FAILED, 1, b"", describe(error))


def _find(module: types.ModuleType, entry: str) -> tuple[Callable[..., Any] | None, str]:
    owner, _, method = entry.rpartition(".")
    try:
        found: Any = module.__dict__.get(owner or method)
        if found is None:
            return None, f"the entry point {entry!r} is not defined"
        if owner:
            found = getattr(found(), method, None)
        if not callable(found):
            return None, f"the entry point {entry!r} is not defined" if found is None else f"{entry!r} is not callable"
        return found, ""
    except BaseException as error:
        return None, describe(error)


def _call(function: Callable[..., Any], call: dict[str, Any]) -> dict[str, Any]:
    nodes = call.get("nodes")
    try:
        arguments = [values.unpack(packed) for packed in call["args"]]
        if nodes is not None:
            arguments = list(map(leetcode.nodes_of, nodes["arguments"], arguments))
        named = {name: values.unpack(packed) for name, packed in call.get("named", {}).items()}
        value = function(*arguments, **named)
    except BaseException as error:
        return {"raised": type(error).__name__, "note": describe(error)}
    try:
        if nodes is not None:
            value = leetcode.plain_of(nodes["result"], value)
        return {"value": json.loads(values.encode(value, iterate="iterate" in call, exact="exact" in call))}
    except values.CannotCross as error:
        return {"cannot": str(error)}
    except BaseException as error:  # a lying class, a value too deep for the encoder
        return {"cannot": describe(error)}


# --- a test beside the solution ---------------------------------------------------------------------------------------


def _run_beside(program: Program, argument: bytes) -> Answer:
    test = json.loads(argument)
    module, failure = load(program)
    if module is None:
        return failure or (LOAD_FAILED, 1, b"", "")
    namespace: dict[str, Any] = {"__name__": "__test__", "__builtins__": builtins}
    if program.entry is None:
        namespace |= {name: value for name, value in module.__dict__.items() if not name.startswith("__")}
    assert program.prelude is not None
    try:
        if "node" in test:
            modules.Plain(program.prelude_source).run(test["node"])
            return RETURNED, 0, test["token"].encode(), ""
        exec(program.prelude, namespace)
        if program.entry is not None:
            name = program.entry.partition(".")[0]
            if name not in module.__dict__:
                return MISSING, 1, b"", f"the entry point {program.entry!r} is not defined"
            namespace[name] = module.__dict__[name]
        exec(compile(test["source"], "<test>", "exec"), namespace)
        return RETURNED, 0, test["token"].encode(), ""
    except SystemExit as end:
        _, code, note = _exit_status(end)
        return RAISED, code or 1, b"", note or "the program ended inside the test"
    except BaseException as error:
        return (
            RAISED,
            1,
            b"",
            describe(error)
            + test_line(
                error,
                dict.fromkeys(("<test set-up>", modules.FILE), program.prelude_source)
                | {"<test>": test.get("source", "")},
            ),
        )


def test_line(error: BaseException, sources: dict[str, str]) -> str:
    """The line of the test that was being run, for a person."""
    found = ""
    step = error.__traceback__
    while step is not None:
        lines = sources.get(step.tb_frame.f_code.co_filename, "").splitlines()
        if 0 < step.tb_lineno <= len(lines):
            found = lines[step.tb_lineno - 1].strip()
        step = step.tb_next
    return f", in the test: {found[:200]}" if found else ""


# --- state between tests ----------------------------------------------------------------------------------------------

_SITE = "/site/"
_BUILTINS = (
    "__import__",
    "abs",
    "input",
    "int",
    "len",
    "list",
    "map",
    "max",
    "min",
    "open",
    "print",
    "range",
    "sorted",
    "str",
    "sum",
)
LIMITS = tuple(
    getattr(resource, "RLIMIT_" + name) for name in ("AS", "CORE", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
)
_SIGNALS = [n for n in range(1, 32) if n not in (signal.SIGKILL, signal.SIGSTOP)]


class State:
    """What one test could change that the next would see; `restore` puts back what can be put back, cheaply.

    What cannot (threads, processes, changed limits) makes the process spent. What is not looked at here (attributes of
    standard modules, say) is the business of the judge's rules: a failure is believed only from a fresh process. To look
    at an object is to write to its reference count, and so to copy its page of memory: hence so few.
    """

    def __init__(self) -> None:
        self.take()

    def take(self) -> None:
        self.builtins = len(builtins.__dict__), [builtins.__dict__.get(name) for name in _BUILTINS]
        self.environ = dict(os.environ._data)  # type: ignore[attr-defined]
        self.recursion = sys.getrecursionlimit()
        self.digits = sys.get_int_max_str_digits()
        self.path, self.meta_path, self.path_hooks = list(sys.path), list(sys.meta_path), list(sys.path_hooks)
        self.hooks = sys.displayhook, sys.excepthook
        self.argv = list(sys.argv)
        self.filters = list(_warnings.filters)
        self.take_process()
        self.gc = gc.isenabled(), gc.get_threshold()
        self.interval = sys.getswitchinterval()
        self.modules = {*sys.modules, "__main__"}

    def take_process(self) -> None:
        """What a new process has set for itself."""
        self.limits = [resource.getrlimit(kind) for kind in LIMITS]
        self.handlers = [_signal.getsignal(n) for n in _SIGNALS]

    def restore(self) -> bool:
        """Put things back; True if this process must not run another test."""
        try:
            return self._restore()
        except BaseException:
            return True

    def _restore(self) -> bool:
        if (len(builtins.__dict__), [builtins.__dict__.get(name) for name in _BUILTINS]) != self.builtins:
            return True
        if os.environ._data != self.environ:  # type: ignore[attr-defined]
            os.environ.clear()
            os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in self.environ.items()})
        sys.setrecursionlimit(self.recursion)
        sys.set_int_max_str_digits(self.digits)
        sys.path[:], sys.meta_path[:], sys.path_hooks[:] = self.path, self.meta_path, self.path_hooks
        sys.displayhook, sys.excepthook = self.hooks
        sys.argv = list(self.argv)
        sys.settrace(None)
        sys.setprofile(None)
        sys.setswitchinterval(self.interval)
        (gc.enable if self.gc[0] else gc.disable)()
        gc.set_threshold(*self.gc[1])
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.umask(0o022)
        _restore_modules(self.filters)
        self._forget_modules()
        if [_signal.getsignal(n) for n in _SIGNALS] != self.handlers:
            return True
        if [resource.getrlimit(kind) for kind in LIMITS] != self.limits:
            return True
        return bool(_thread._count()) or _has_children()

    def _forget_modules(self) -> None:
        """Let go of the modules that the test imported, so that the next one imports them itself.

        Else a test could pass because another one imported a submodule, or changed a module. Libraries stay: theirs is
        C code that cannot be loaded twice. Code that is called keeps what it imported when it was loaded (`take`).
        """
        if len(sys.modules) <= len(self.modules) and next(reversed(sys.modules)) in self.modules:
            return  # to look at every name is to copy the page of each
        for name in sys.modules.keys() - self.modules:
            module = sys.modules[name]
            if not (getattr(module, "__file__", None) or "").startswith(_SITE) and name not in ("__main__", "solution"):
                del sys.modules[name]
                parent, _, child = name.rpartition(".")
                if parent in self.modules:
                    vars(sys.modules[parent]).pop(child, None)


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
        return True
    except ChildProcessError:
        return False


def _restore_modules(filters: list[Any]) -> None:
    """State of standard modules that programs often set, where the module is loaded at all."""
    loaded = sys.modules
    if "decimal" in loaded:
        loaded["decimal"].setcontext(loaded["decimal"].Context())
    if "locale" in loaded:
        loaded["locale"].setlocale(loaded["locale"].LC_ALL, "C.UTF-8")
    if "warnings" in loaded:
        warnings = loaded["warnings"]
        warnings.filters = _warnings.filters  # type: ignore[attr-defined]
        warnings.filters[:] = filters
        warnings._filters_mutated()  # what was shown once is shown again
        warnings.__dict__.pop("__warningregistry__", None)
    _thread.stack_size(0)
