"""Code under judgement against the walls: each test tries one thing that must not work, for real."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from crl_data.errors import RunnerDied
from crl_data.sandbox import Limits, Program, Runner, open_sandbox
from crl_data.sandbox.client import Input
from crl_data.sandbox.runner.kernel import _SYSCALLS, MACHINE, number
from tests.conftest import Bench

TRY = "import os, sys\ndef tried(f):\n    try:\n        return f()\n    except BaseException as e:\n        return type(e).__name__\n"


# --- the network ---------------------------------------------------------------------------------------------------------------


def test_no_connection_to_this_machine_or_beyond(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = (
            TRY
            + f"import socket\nprint(tried(lambda: socket.create_connection(('127.0.0.1', {port}), 1)), tried(lambda: socket.socket()), type(tried(lambda: socket.getaddrinfo('example.com', 80))).__name__)"
        )
        first, second, third = bench.out(program).split()
        assert first in ("OSError", "gaierror", "PermissionError") and second == "OSError" and third == "str"
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_abstract_socket_of_this_machine(bench: Bench) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0crl-test-{os.getpid()}")
        server.listen()
        program = (
            TRY
            + f"import socket\ns = socket.socket(socket.AF_UNIX)\nprint(tried(lambda: s.connect('\\0crl-test-{os.getpid()}')))"
        )
        if bench.apart:
            assert bench.out(program).strip() in ("ConnectionRefusedError", "PermissionError")
        else:
            assert "Address family not supported" in bench(program)[0].note


# --- files ------------------------------------------------------------------------------------------------------------------------


def test_nothing_of_the_users_files_is_in_sight(bench: Bench, tmp_path: Path) -> None:
    if not bench.apart:
        pytest.skip("without namespaces: names can be seen; what is in files is tried by the self-check")
    (tmp_path / "secret").write_text("secret")
    program = (
        TRY
        + f"print(sorted(os.listdir('/')), tried(lambda: open({str(tmp_path / 'secret')!r}).read()), tried(lambda: os.listdir({str(Path.home())!r})))"
    )
    seen = bench.out(program)
    assert "home" not in seen.split("]")[0] and "mnt" not in seen.split("]")[0]
    assert "FileNotFoundError" in seen and "secret" not in seen.replace("secret'", "")


def test_only_the_scratch_folder_can_be_written_to(bench: Bench) -> None:
    program = TRY + (
        "found = []\n"
        "for folder, _, _ in os.walk('/'):\n"
        "    if not folder.startswith('/proc'):\n"
        "        try:\n"
        "            open(os.path.join(folder, 'x'), 'w').close()\n"
        "            found.append(folder)\n"
        "        except OSError:\n"
        "            pass\n"
        "print(*found)\n"
    )
    written = set(bench.out(program, limits=Limits(cpu_s=10.0)).split())
    if bench.apart:
        assert written == {"/box/work", "/box/tmp", "/box/shm"}
    else:  # what cannot be listed is not walked through
        assert written <= {"/dev/shm"}


def test_packages_of_this_environment_are_hidden(bench: Bench) -> None:
    program = TRY + (
        "found = []\n"
        "for folder, folders, files in os.walk('/'):\n"
        "    if folder.startswith('/proc'):\n"
        "        continue\n"
        "    if folder.endswith(('site-packages', 'dist-packages')) and (folders or files):\n"
        "        found.append(folder)\n"
        "print(found, os.path.isdir('/site/numpy'), os.listdir('/site'))\n"
    )
    if not bench.apart:
        assert "PermissionError" in bench(f"open({pytest.__file__!r})")[0].note
        return
    found, numpy_there, *rest = bench.out(program, limits=Limits(cpu_s=10.0)).split(" ", 2)
    assert found == "[]" and numpy_there == "True" and "pytest" not in rest[0]


def test_the_runner_and_its_own_source_are_out_of_sight(bench: Bench) -> None:
    if not bench.apart:
        pytest.skip("without namespaces: there is no /proc")
    program = (
        TRY
        + "import gc\nprint([name for name in sys.modules if 'runner' in name or 'crl' in name], tried(lambda: __import__('runner')), tried(lambda: open('/proc/1/cmdline').read()))"
    )
    assert bench.out(program).strip() == "[] ModuleNotFoundError FileNotFoundError"


def test_no_device_but_the_harmless_ones(bench: Bench) -> None:
    if not bench.apart:
        pytest.skip("without namespaces: names can be seen; devices cannot be opened")
    assert set(bench.out("import os\nprint(*os.listdir('/dev'))").split()) == {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "fd",
        "stdin",
        "stdout",
        "stderr",
        "shm",
    }


# --- processes --------------------------------------------------------------------------------------------------------------------


def test_no_other_process_is_in_sight(bench: Bench) -> None:
    if not bench.apart:
        pytest.skip("without namespaces: there is no /proc")
    pids, parent = bench.out(
        "import os\nprint(len([n for n in os.listdir('/proc') if n.isdigit()]), os.getppid())"
    ).split()
    assert int(pids) <= 1 and parent == "1"


@pytest.mark.parametrize("target", ["-1", "1", "0", "os.getppid()"])
def test_killing_everything_reaches_only_itself(bench: Bench, target: str) -> None:
    seen = bench(
        f"import os, signal\nprint(input(), flush=True)\ntry:\n    os.kill({target}, signal.SIGKILL)\nexcept OSError:\n    pass",
        "a",
        "b",
        "c",
    )
    assert [one.answer for one in seen] == [b"a\n", b"b\n", b"c\n"]
    assert bench.out("print(1)") == "1\n"


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM", "SIGABRT", "SIGALRM"])
def test_a_program_that_ends_itself_by_a_signal_is_seen_to(bench: Bench, name: str) -> None:
    """Process 1 of a namespace ignores these signals; a solution is never process 1."""
    (seen,) = bench(f"import os, signal\nprint('x', flush=True)\nos.kill(os.getpid(), signal.{name})\nprint('y')")
    assert (seen.how, seen.answer) == ("killed", b"x\n")


def test_a_timer_of_the_program_ends_it_as_it_would_anywhere(bench: Bench) -> None:
    (seen,) = bench("import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(1)\nprint('late')")
    assert (seen.how, seen.signal) == ("killed", 14)


def test_a_daemon_left_behind_does_not_live_on(bench: Bench) -> None:
    """A process that left its session and its parent behind still ends with the test, and cannot write to the next one's output."""
    program = (
        "import os, time\n"
        "print(input(), flush=True)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        while True:\n"
        "            os.write(1, b'ghost')\n"
        "            time.sleep(0.001)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    seen = bench(program, "a", "b", "c")
    assert [one.answer.replace(b"ghost", b"") for one in seen] == [b"a\n", b"b\n", b"c\n"]
    after = bench("import time\ntime.sleep(0.1)\nprint(len(__import__('os').listdir('.')))")
    assert after[0].answer == b"0\n"


def test_a_fork_bomb_is_contained(bench: Bench) -> None:
    (seen,) = bench(
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        limits=Limits(cpu_s=0.5),
    )
    assert seen.how == "timeout"
    assert bench.out("print(1)") == "1\n"


def test_a_bomb_of_threads_is_contained(bench: Bench) -> None:
    program = (
        TRY
        + "import threading, time\nn = 0\ntry:\n    while True:\n        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n        n += 1\nexcept RuntimeError:\n    print(n)"
    )
    assert 8 <= int(bench.out(program)) < 64


# --- calls ------------------------------------------------------------------------------------------------------------------------

_FORBIDDEN = sorted(
    set(_SYSCALLS)
    - {
        "clone",
        "clone3",
        "socket",
        "socketpair",
        "seccomp",
        "capset",
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
    }
)


def test_forbidden_calls_are_refused(bench: Bench) -> None:
    """Every call that the filter lists answers "not permitted" or "no such call", whatever its arguments."""
    numbers = {name: number(name) for name in _FORBIDDEN if number(name) is not None}
    program = (
        "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, n in {numbers!r}.items():\n"
        "    ctypes.set_errno(0)\n"
        "    r = l.syscall(ctypes.c_long(n), *[ctypes.c_long(1)] * 6)\n"
        "    print(name, r, ctypes.get_errno())\n"
    )
    answers = [line.split() for line in bench.out(program).splitlines()]
    assert len(answers) == len(numbers) > 60
    assert [line for line in answers if line[1] != "-1" or line[2] not in ("1", "38")] == []


@pytest.mark.parametrize(
    "flag", ["0x10000000", "0x20000000", "0x40000000", "0x00020000", "0x08000000", "0x04000000", "0x02000000"]
)
def test_no_new_namespace_by_clone(bench: Bench, flag: str) -> None:
    program = f"import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nprint(l.syscall({number('clone')}, {flag} | 17, 0, 0, 0, 0), ctypes.get_errno())"
    assert bench.out(program) == "-1 1\n"


@pytest.mark.skipif(MACHINE != "x86_64", reason="the other table of system calls is x86-64's")
def test_the_other_table_of_system_calls_is_closed(bench: Bench) -> None:
    program = (
        "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\nprint(l.syscall(0x40000000 | 39), ctypes.get_errno())"
    )
    assert bench.out(program) == "-1 38\n"


def test_no_rights_no_root_no_way_to_get_any(bench: Bench) -> None:
    if not bench.apart:
        pytest.skip("without namespaces: there is no /proc; the self-check tries the rights")
    status = bench.out(
        "import os\nprint(os.getuid(), os.getgid(), os.getgroups())\nprint(open('/proc/self/status').read())"
    )
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert status.startswith(("65534 65534 []", "65534 65534 [65534]"))
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"


# --- limits -----------------------------------------------------------------------------------------------------------------------


def test_memory_ends_at_the_limit(bench: Bench) -> None:
    small = Limits(cpu_s=5.0, memory_mb=100)
    (seen,) = bench("x = bytearray(90 << 20)\nprint(len(x))", limits=small)
    assert seen.how == "ended"
    (seen,) = bench("x = bytearray(110 << 20)\nprint(len(x))", limits=small)
    assert seen.how == "memory"
    (seen,) = bench("x = []\nwhile True:\n    x.append(' ' * 10**6)", limits=small)
    assert seen.how == "memory"


def test_many_processes_together_end_at_the_limit_of_the_group(bench: Bench) -> None:
    if "memory" not in bench.runner.ready["walls"]:
        pytest.skip("this machine lets no control group be made")
    program = "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        x = b'x' * (90 << 20)\n        time.sleep(5)\n        os._exit(0)\ntime.sleep(1)\nprint('alive')"
    (seen,) = bench(program, limits=Limits(cpu_s=5.0, memory_mb=100))
    assert seen.how in ("memory", "ended", "killed")
    assert bench.out("print(1)") == "1\n"


def test_a_flood_of_output_ends_at_the_limit(bench: Bench) -> None:
    for flood in ("print('x' * 10**5)", "import os\n    os.write(1, b'x' * 10**5)"):
        (seen,) = bench(f"while True:\n    {flood}", limits=Limits(cpu_s=5.0, output_mb=1))
        assert (seen.how, seen.answer) == ("output", b"")


def test_output_up_to_the_limit_is_kept(bench: Bench) -> None:
    (seen,) = bench("print('x' * (1000 * 1000), end='')", limits=Limits(cpu_s=5.0, output_mb=1))
    assert (seen.how, len(seen.answer)) == ("ended", 1000 * 1000)


def test_a_sparse_output_does_not_pass_for_a_small_one(bench: Bench) -> None:
    (seen,) = bench("import os\nos.ftruncate(1, 10**12)", limits=Limits(cpu_s=5.0, output_mb=1))
    assert seen.how in ("raised", "output", "killed")


def test_the_disk_cannot_be_filled(bench: Bench) -> None:
    program = (
        TRY
        + "n = 0\ntry:\n    while True:\n        with open(f'f{n}', 'wb') as f:\n            f.write(b'x' * (8 << 20))\n        n += 1\nexcept OSError as e:\n    print(n, e.errno)"
    )
    if bench.apart:
        files, errno = bench.out(program, limits=Limits(cpu_s=5.0)).split()
        assert int(files) <= 8 and errno == "28"
    else:
        assert bench(program, limits=Limits(cpu_s=5.0))[0].how == "output"
    assert bench.out("import os\nprint(os.listdir(), len(open('x', 'wb').write(b'1') * 'a'))").strip() == "[] 1"


def test_descriptors_run_out_for_the_program_alone(bench: Bench) -> None:
    program = "f = []\ntry:\n    while True:\n        f.append(open('/dev/null'))\nexcept OSError as e:\n    n = len(f)\n    f.clear()\n    print(n, e.errno)"
    seen = bench(program, "", "")
    assert all(one.how == "ended" and 100 < int(one.answer.split()[0]) < 300 for one in seen)


def test_an_endless_program_ends_at_its_limit_and_not_much_later(bench: Bench) -> None:
    begun = time.monotonic()
    (seen,) = bench("while True:\n    pass", limits=Limits(cpu_s=0.3))
    assert seen.how == "timeout" and 0.3 <= seen.cpu_s < 0.6
    assert time.monotonic() - begun < 30


def test_time_is_that_of_all_its_processes(bench: Bench) -> None:
    program = "import os\nfor _ in range(3):\n    os.fork()\nwhile True:\n    pass"
    (seen,) = bench(program, limits=Limits(cpu_s=1.0))
    assert seen.how == "timeout" and seen.wall_s < 30


def test_sleeping_is_not_running_but_ends_too(bench: Bench) -> None:
    (seen,) = bench("import time\ntime.sleep(1000)", limits=Limits(cpu_s=0.2))
    assert seen.how == "timeout" and "without doing anything" in seen.note
    (seen,) = bench("import time\ntime.sleep(0.6)\nprint(1)", limits=Limits(cpu_s=0.2))
    assert seen.how == "ended"


def test_waiting_for_more_input_ends_at_once(bench: Bench) -> None:
    (seen,) = bench("print(1)\ninput()\ninput()", "only one line\n")
    assert (seen.how, seen.note.split(":")[0]) == ("raised", "EOFError")


# --- what is in memory ------------------------------------------------------------------------------------------------------------

# Looks for a mark in all of its own memory without ever having the mark in one piece: it is given reversed, in two halves.
SCAN = (
    "import ctypes, sys\n"
    "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # else its own memory is closed to itself\n"
    "def scan(first, second):\n"
    "    found = 0\n"
    "    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as mem:\n"
    "        for line in maps:\n"
    "            span, rights, *_ = line.split()\n"
    "            if rights[0] != 'r' or 'vvar' in line or 'vsyscall' in line:\n"
    "                continue\n"
    "            low, high = (int(x, 16) for x in span.split('-'))\n"
    "            mem.seek(low)\n"
    "            try:\n"
    "                data = mem.read(high - low)\n"
    "            except OSError:\n"
    "                continue\n"
    "            at = data.find(first)\n"
    "            while at >= 0:\n"
    "                found += data[at + len(first):at + len(first) + len(second)] == second\n"
    "                at = data.find(first, at + 1)\n"
    "    return found\n"
    "second, first = (part[::-1].encode() for part in sys.stdin.read().split())\n"
)


def halves(mark: str) -> str:
    middle = len(mark) // 2
    return f"{mark[middle:][::-1]} {mark[:middle][::-1]}"


def test_the_scan_of_memory_finds_what_is_there(bench: Bench) -> None:
    """The next tests mean nothing if the scan cannot find anything."""
    if not bench.apart:
        pytest.skip("without namespaces: there is no /proc to scan memory by")
    assert (
        bench.out(SCAN + "keep = first + second\nprint(scan(first, second) > 0)", halves("abcdefghijklmnopqrstuvwxyz"))
        == "True\n"
    )


def test_no_input_that_is_still_to_come_is_in_memory(bench: Bench) -> None:
    """The first test is told what to look for; the tests after it, sent in the same order, hold it as it is."""
    if not bench.apart:
        pytest.skip("without namespaces: there is no /proc to scan memory by")
    mark = "zwqk-9184-needle-in-the-haystack-5512"
    opened = bench.runner.open(Program(code=SCAN + "print(scan(first, second))", mode="stdin"), Limits(cpu_s=5.0))
    assert not isinstance(opened, str)
    seen = opened.run([Input(halves(mark).encode(), 1), *(Input(mark.encode() * 50, 1) for _ in range(5))], fresh=False)
    assert (seen[0].how, seen[0].answer) == ("ended", b"0\n"), seen[0].note


def test_nothing_of_the_solution_before_is_in_memory(bench: Bench) -> None:
    if not bench.apart:
        pytest.skip("without namespaces: there is no /proc to scan memory by")
    mark = "vxjh-7720-code-of-another-solution-3141"
    bench(f"secret = {mark!r}\nprint(input(), secret)", mark, mark)
    assert bench.out(SCAN + "print(scan(first, second))", halves(mark), limits=Limits(cpu_s=5.0)) == "0\n"


# --- the runner itself ------------------------------------------------------------------------------------------------------------


def test_a_runner_that_is_killed_is_said_to_be_dead() -> None:
    runner = open_sandbox("local", ()).start(False)
    session = runner.open(Program(code="import time\ntime.sleep(30)", mode="stdin"), Limits())
    assert not isinstance(session, str)
    runner.kill()
    with pytest.raises(RunnerDied):
        session.run([Input(b"", 0)], fresh=False)
    runner.close()


def _processes_of(pid: int) -> set[int]:
    found = {pid}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
            except OSError:
                continue
            if parent in found:
                found.add(int(entry.name))
    return found


def test_nothing_of_a_runner_outlives_whoever_started_it(tmp_path: Path) -> None:
    """Its owner is killed in the middle of a test, and has no time to tidy up."""
    program = (
        "import os\nfrom crl_data.sandbox import open_sandbox, Program, Limits\nfrom crl_data.sandbox.client import Input\n"
        "s = open_sandbox('local', ()).start(False).open(Program(code='import time\\ntime.sleep(60)', mode='stdin'), Limits(cpu_s=60))\n"
        "print(os.getpid(), flush=True)\ns.run([Input(b'', 0)], fresh=False)\n"
    )
    owner = subprocess.Popen(
        ["python", "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    time.sleep(0.5)
    started = _processes_of(pid) - {pid}
    assert len(started) >= 4
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(Path(f"/proc/{one}").exists() for one in started):
        time.sleep(0.05)
    assert [one for one in started if Path(f"/proc/{one}").exists()] == []


def test_ten_solutions_a_hundred_times_leave_nothing_behind(sandbox_runner: Runner) -> None:
    """No growth in descriptors or processes over many solutions that end in different ways."""
    bench = Bench(sandbox_runner)
    programs = [
        "print(1)",
        "1/0",
        "import os\nos._exit(3)",
        "def (",
        "import os\nos.fork()",
        "open('x', 'w')",
        "import os\nos.kill(os.getpid(), 9)",
        "print('x' * 10**6)",
        "import threading\nthreading.Thread(target=print).start()",
        "raise SystemExit(2)",
    ]

    def count() -> tuple[int, int]:
        mine = _processes_of(os.getpid())
        return len(os.listdir("/proc/self/fd")), len(mine)

    def all_of_them() -> None:
        for program in programs:
            opened = bench.runner.open(Program(code=program, mode="stdin"), Limits())
            if not isinstance(opened, str):
                opened.run([Input(b"1", 0), Input(b"2", 0)], fresh=False)
        bench("print(1)")
        opened = bench.runner.open(
            Program(code="def (", mode="stdin"), Limits()
        )  # so that no cell is there when we count
        assert isinstance(opened, str)

    all_of_them()
    before = count()
    for _ in range(100):
        all_of_them()
    assert count() == before
