"""Nothing that a solution does outlives its process: what comes after it is judged as if it had never run.

Each attack here once changed a later verdict, or made the runner give up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from crl_data.judging import Isolation, Judge, Policy
from crl_data.sandbox import Limits, Runner, open_sandbox
from tests.conftest import RIGHT_SUM, SUM, Bench, code, function_problem

CTYPES = "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\n"
ATTACKS = {
    "a socket that does not wait": "import fcntl, os\nfcntl.fcntl(701, fcntl.F_SETFL, os.O_NONBLOCK)",
    "a socket with a small buffer": "import socket\nsocket.socket(fileno=701).setsockopt(1, socket.SO_SNDBUF, 1)",
    "a socket that is shut": "import socket\nsocket.socket(fileno=701).shutdown(socket.SHUT_RDWR)",
    "a socket with a filter that drops everything": (
        "import ctypes, socket, struct\n"
        "rule = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))\n"
        "filter = struct.pack('HL', 1, ctypes.addressof(rule))\n"
        "s = socket.socket(fileno=701)\ns.setsockopt(1, 26, filter)\ns.setsockopt(1, 44, 1)"
    ),
    "a lock on every descriptor": "import fcntl\nfor fd in (0, 1, 2, 702, 703, 704): fcntl.flock(fd, fcntl.LOCK_EX)",
    "output that only appends": "import fcntl, os\nfor fd in (1, 703): fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)",
    "the scratch folder shut": "import os\nos.chmod('/box', 0)",
    "its parts shut": "import os\nfor name in ('work', 'tmp', 'shm'): os.chmod('/box/' + name, 0)",
    "its own file shut": "import os\nos.chmod('/box/solution.py', 0)",
    "folders too deep for a path": "import os\nfor _ in range(3000):\n    os.mkdir('a')\n    os.chdir('a')",
    "folders that cannot be opened": "import os\nos.makedirs('a/b/c')\nopen('a/b/c/f', 'w').close()\nos.chmod('a/b', 0)\nos.chmod('a', 0)",
    "limits of process 1": "import resource\nresource.prlimit(1, resource.RLIMIT_NPROC, (0, 0))",
    "priority of process 1": "import os\nos.setpriority(os.PRIO_PROCESS, 1, 19)",
    "processors of process 1": "import os\nos.sched_setaffinity(1, {0})",
    "links beside the scratch folder": "import os\nfor n in range(20000): os.symlink('x', f'/box/{n}')",
    "wider rules for files": CTYPES + "for fd in range(3, 64): l.syscall(445, fd, 1, b'\\0' * 16, 0)",
    "a word in an attribute": "import os\nos.setxattr('/box', 'user.word', b'secret')",
    "memory limits, where they can be reached": "import os\nfor fd in range(3, 700): os.pwrite(fd, b'1', 0)",
}


@pytest.fixture(scope="module")
def warm() -> Iterator[Judge]:
    with Judge(jobs=1, sandbox="local", policy=Policy(libraries=())) as judge:
        yield judge


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_solution_does_to_its_surroundings_is_not_felt_by_the_next(warm: Judge, attack: str) -> None:
    long = function_problem("f", *(([n], "x" * 20_000 * n) for n in range(1, 7)))
    guarded = "try:\n    " + ATTACKS[attack].replace("\n", "\n    ") + "\nexcept Exception:\n    pass\nprint('-')\n"
    begun = time.monotonic()
    assert warm.judge(SUM, code(guarded)).verdict is False
    assert time.monotonic() - begun < 30
    for _ in range(2):
        assert warm.judge(SUM, code(RIGHT_SUM)).verdict is True
        assert warm.judge(long, code("def f(n):\n    return 'x' * 20_000 * n\n")).verdict is True
    writes = "with open('file', 'w') as f: f.write('x' * 100_000)\n" + RIGHT_SUM
    assert warm.judge(SUM, code(writes)).verdict is True


def test_a_process_finds_no_descriptor_of_ours(bench: Bench) -> None:
    program = (
        "import os\nfound = {}\n"
        "for fd in range(4096):\n"
        "    try: found[fd] = os.fstat(fd) and 1\n"
        "    except OSError: pass\n"
        "print(sorted(found))"
    )
    assert bench.out(program, fresh=True) == "[0, 1, 2, 701, 702, 703, 704]\n"


WORDS = {
    "an attribute": (
        "os.setxattr('/box', 'user.w', b'1')",
        "os.getxattr('/box', 'user.w') == b'1'",
    ),
    "a time": ("os.utime('/box/work', ns=(5, 7))", "os.stat('/box/work').st_mtime_ns == 7"),
    "a time of the box": ("os.utime('/box', ns=(5, 7))", "os.stat('/box').st_mtime_ns == 7"),
    "a mode": ("os.chmod('/box/tmp', 0o711)", "os.stat('/box/tmp').st_mode & 0o777 == 0o711"),
    "a file": ("open('/box/tmp/w', 'w').close()", "os.path.exists('/box/tmp/w')"),
    "a link": ("os.symlink('w', '/box/shm/w')", "os.path.lexists('/box/shm/w')"),
    "a lock": (
        "fcntl.flock(704, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "locked('/dev/null')",
    ),
    "a flag of a descriptor": ("os.set_blocking(701, False)", "not os.get_blocking(701)"),
    "an offset": ("os.lseek(702, 3, 0)", "os.lseek(702, 0, 1) == 3"),
    "shared memory": (
        "from multiprocessing.shared_memory import SharedMemory as S; S('w', True, 64)",
        "__import__('multiprocessing.shared_memory').shared_memory.SharedMemory('w')",
    ),
}


@pytest.mark.parametrize("word", WORDS)
def test_no_word_from_one_process_to_the_next(bench: Bench, word: str) -> None:
    """A solution that knew what was asked before could learn from being asked again that its first answer was wrong."""
    leave, look = WORDS[word]
    program = (
        "import fcntl, os\n"
        "def locked(path):\n    try:\n        fcntl.flock(os.open(path, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    except BlockingIOError:\n        return True\n"
        f"def found():\n    try:\n        return bool({look})\n    except (OSError, ValueError):\n        return False\n"
        f"if found():\n    print('found')\nelse:\n    print('nothing')\n    try:\n        {leave}\n    except OSError:\n        pass\n"
    )
    seen = bench(program, "1", "2", "3", fresh=True)
    assert [one.answer for one in seen] == [b"nothing\n"] * 3, [one.note for one in seen]


def test_a_daemon_at_work_in_the_scratch_folder_does_not_stop_the_judge(warm: Judge) -> None:
    daemon = (
        "import os\nif os.fork() == 0:\n    if os.fork() == 0:\n        n = 0\n        while True:\n"
        "            n += 1\n            try:\n                os.makedirs(f'/box/tmp/{n % 7}/{n}')\n"
        "            except OSError:\n                pass\n    os._exit(0)\nos.wait()\n"
    )
    assert warm.judge(SUM, code(daemon + "input()\nprint('-')\n")).verdict is False
    assert warm.judge(SUM, code(daemon + RIGHT_SUM)).verdict is True
    assert warm.judge(SUM, code(RIGHT_SUM)).verdict is True


def test_objects_lie_where_they_lay_before() -> None:
    """Sets of objects are walked by their addresses: without the same layout every time, verdicts depend on the runner."""
    program = "class A: pass\nprint([id(A()) for _ in range(3)], id(print))\n"
    answers = set()
    for _ in range(4):
        with Judge(jobs=1, sandbox="local", policy=Policy(libraries=(), isolation=Isolation.PER_TEST)) as judge:
            answers.add(judge.judge(SUM, code(program)).reason)
    assert len(answers) == 1


def test_time_of_processes_that_a_thread_forked_counts(bench: Bench) -> None:
    program = (
        "import os, threading, time\n"
        "def work():\n    pid = os.fork()\n    if pid == 0:\n        while time.process_time() < 5: pass\n        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "t = threading.Thread(target=work)\nt.start()\nt.join()\nprint('done')\n"
    )
    (seen,) = bench(program, limits=Limits(cpu_s=0.5))
    assert seen.how == "timeout"


def test_the_runner_ends_with_its_judge_even_while_it_is_busy() -> None:
    """Also where the supervisor is kept from noticing: its judge's end is told to the runner by the kernel."""
    program = (
        "import sys, os\nfrom crl_data.sandbox import open_sandbox\n"
        "runner = open_sandbox('local', ()).start(False)\n"
        "print(runner._process._process.pid, flush=True)\nsys.stdin.read()\n"
    )
    judge = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    runner = int(judge.stdout.readline())
    judge.kill()
    judge.communicate()
    deadline = time.monotonic() + 10
    while os.path.isdir(f"/proc/{runner}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.isdir(f"/proc/{runner}")


def test_a_runner_that_was_shut_from_inside_serves_on(sandbox_runner: Runner) -> None:
    bench = Bench(sandbox_runner)
    (seen,) = bench(
        "import socket\nsocket.socket(fileno=701).shutdown(2)\nwhile True: pass\n", limits=Limits(cpu_s=0.5)
    )
    assert seen.how in ("protocol", "timeout")
    assert bench.out("print(1)") == "1\n"


def test_warnings_are_shown_and_hidden_as_an_interpreter_does_in_every_test(bench: Bench) -> None:
    """Once filters were put back to none at all: a file left open was then told of, at the price of a hundred tests."""
    program = (
        "import warnings\nprint(*(rule[0] + rule[2].__name__ for rule in warnings.filters))\n"
        "warnings.simplefilter('error')\nwarnings.filters.append(None)\n"
    )
    plain = "import warnings\nprint(*(rule[0] + rule[2].__name__ for rule in warnings.filters))\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", plain], capture_output=True, text=True, check=True)
    assert {seen.answer.decode() for seen in bench(program, "1", "2", "3")} == {done.stdout}


def test_a_process_that_a_solution_forks_knows_that_it_has_one_thread_and_draws_numbers_of_its_own(
    bench: Bench,
) -> None:
    program = (
        "import os, random, threading, time\nthreading.Thread(target=time.sleep, args=(0.5,)).start()\n"
        "random.seed(1)\nwanted = random.Random(1).random()\npid = os.fork()\nif pid == 0:\n"
        "    print(threading.active_count(), random.random() == wanted, flush=True)\n    os._exit(0)\n"
        "os.waitpid(pid, 0)\nprint(threading.active_count(), random.random() == wanted)\n"
    )
    assert bench.out(program) == "1 False\n2 True\n"


def test_the_runner_that_a_sandbox_was_found_with_is_the_first_that_judges() -> None:
    sandbox = open_sandbox("local", ())
    (spare,) = sandbox.spare
    with Judge(jobs=1, sandbox=sandbox) as judge:
        assert judge.judge(SUM, code(RIGHT_SUM)).verdict is True
        assert spare.sessions
        assert not sandbox.spare
    with Judge(jobs=1, sandbox="local", policy=Policy(libraries=())) as judge:
        assert not judge.sandbox.spare  # its worker has it, and ends it
