"""Twenty small programs, each with inputs and two ways to get it wrong: what `workload` makes its solutions of.

`solve(text)` takes the whole input and returns the whole output. `wrong` and `nearly` are replacements in its source: the
first spoils many tests, the second only those with something unusual in the input, which `make` is told to put there.
They are ordinary exercises of our own; nothing is taken from a data set.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Swap = tuple[str, str]


@dataclass(frozen=True)
class Kernel:
    """make(random, size, unusual) gives an input text."""

    name: str
    source: str
    make: Callable[[random.Random, int, bool], str]
    wrong: Swap
    nearly: Swap


def _numbers(low: int, high: int) -> Callable[[random.Random, int, bool], str]:
    def make(draw: random.Random, size: int, unusual: bool) -> str:
        values = [draw.randint(low, high) for _ in range(size)]
        if unusual:
            values = [-value - 1 for value in values]
        return f"{size}\n{' '.join(map(str, values))}\n"

    return make


def _words(draw: random.Random, size: int, unusual: bool) -> str:
    lines = []
    for _ in range(max(2, size // 8)):
        words = ["".join(draw.choice("abcdeo") for _ in range(draw.randint(1, 5))) for _ in range(8)]
        lines.append(" ".join(word.upper() if unusual else word for word in words))
    return "\n".join(lines) + "\n"


def _brackets(draw: random.Random, size: int, unusual: bool) -> str:
    lines = []
    for _ in range(max(3, size // 10)):
        depth, text = 0, ""
        for _ in range(12):
            if depth and draw.random() < 0.5:
                text, depth = text + ")", depth - 1
            else:
                text, depth = text + "(", depth + 1
        lines.append(text + ")" * (depth - draw.randint(0, 1) if depth else 0))
    return "\n".join([*lines, *([")("] if unusual else [])]) + "\n"


def _pair_of_words(draw: random.Random, size: int, unusual: bool) -> str:
    first, second = ("".join(draw.choice("abcd") for _ in range(6 + size // 6)) for _ in range(2))
    return f"{first}\n{second.upper() if unusual else second}\n"


def _grid(draw: random.Random, size: int, unusual: bool) -> str:
    rows, columns = 4 + size // 20, 5 + size // 20
    lines = ["".join("#" if draw.random() < 0.25 else "." for _ in range(columns)) for _ in range(rows)]
    if unusual:
        lines[0] = "." * columns
        lines = [line[:-1] + "." for line in lines]
    else:
        lines[1] = lines[1][:1] + "#" + lines[1][2:]
        lines[-1] = "#" * columns
    return f"{rows} {columns}\n" + "\n".join(lines) + "\n"


def _graph(draw: random.Random, size: int, unusual: bool) -> str:
    n = 5 + size // 8
    edges = [(a, draw.randrange(a + 1, n), draw.randint(1, 9)) for a in range(n - 1) for _ in range(2)]
    if unusual:
        edges.append((n - 1, 0, 1))
    return f"{n} {len(edges)}\n" + "".join(f"{a} {b} {c}\n" for a, b, c in edges)


def _one_number(low: int, high: int) -> Callable[[random.Random, int, bool], str]:
    def make(draw: random.Random, size: int, unusual: bool) -> str:
        return f"{draw.choice((0, 1)) if unusual else draw.randint(low, high + 20 * size)} {draw.randint(3, 97)}\n"

    return make


KERNELS = (
    Kernel(
        "even sum",
        """
def solve(text):
    values = [int(word) for word in text.split()[1:]]
    total = 0
    for value in values:
        if value % 2 == 0:
            total += value
    return str(total)
""",
        _numbers(0, 500),
        ("value % 2 == 0", "value % 2 == 1"),
        ("total += value", "total += abs(value)"),
    ),
    Kernel(
        "largest sum of a run",
        """
def solve(text):
    values = list(map(int, text.split()[1:]))
    best = here = values[0]
    for value in values[1:]:
        here = max(value, here + value)
        best = max(best, here)
    return str(best)
""",
        _numbers(0, 100),
        ("here + value)", "here - value)"),
        ("best = here = values[0]", "best = here = max(values[0], 0)"),
    ),
    Kernel(
        "longest increasing subsequence",
        """
from bisect import bisect_left

def solve(text):
    tails = []
    for value in map(int, text.split()[1:]):
        place = bisect_left(tails, value)
        if place == len(tails):
            tails.append(value)
        else:
            tails[place] = value
    return f"{len(tails)} {tails[-1]}"
""",
        _numbers(0, 1000),
        ("tails[place] = value", "pass"),
        ("{tails[-1]}", "{abs(tails[-1])}"),
    ),
    Kernel(
        "pairs with a given difference",
        """
def solve(text):
    from collections import Counter
    values = list(map(int, text.split()[1:]))
    seen, pairs, least = Counter(), 0, min(values)
    for value in values:
        pairs += seen[value - 3] + seen[value + 3]
        seen[value] += 1
    return f"{pairs}\\n{least}"
""",
        _numbers(0, 40),
        ("seen[value] += 1", "seen[value] = 1"),
        ("min(values)", "min(values, key=abs)"),
    ),
    Kernel(
        "primes",
        """
def solve(text):
    n, step = map(int, text.split())
    sieve = [True] * (n + 1)
    sieve[:2] = [False] * min(2, n + 1)
    for p in range(2, int(n ** 0.5) + 1):
        if sieve[p]:
            for q in range(p * p, n + 1, p):
                sieve[q] = False
    primes = [p for p in range(n + 1) if sieve[p]]
    return f"{len(primes)} {sum(primes) % step} {primes[-1] if primes else -1}"
""",
        _one_number(40, 200),
        ("range(p * p, n + 1, p)", "range(p * p + p, n + 1, p)"),
        ("if primes else -1", "if primes else 0"),
    ),
    Kernel(
        "common divisor",
        """
import math

def solve(text):
    values = list(map(int, text.split()[1:]))
    whole = 0
    for value in values:
        whole = math.gcd(whole, value * 6)
    return "\\n".join([str(whole), str(sum(values)), str(max(values))])
""",
        _numbers(1, 60),
        ("value * 6", "value * 4"),
        ("str(max(values))", "str(max(0, *values))"),
    ),
    Kernel(
        "balanced brackets",
        """
def solve(text):
    answers = []
    for line in text.split("\\n"):
        if not line:
            continue
        depth, bad = 0, False
        for sign in line:
            depth += 1 if sign == "(" else -1
            if depth < 0:
                bad = True
        answers.append("NO" if bad or depth else "YES")
    return "\\n".join(answers)
""",
        _brackets,
        ("bad or depth", "bad or not depth"),
        ("bad = True", "bad = False"),
    ),
    Kernel(
        "most frequent words",
        """
from collections import Counter

def solve(text):
    counts = Counter(text.lower().split())
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return "\\n".join(f"{word} {count}" for word, count in ranked[:5])
""",
        _words,
        ("(-pair[1], pair[0])", "(pair[1], pair[0])"),
        ("text.lower().split()", "text.split()"),
    ),
    Kernel(
        "shifted letters",
        """
def solve(text):
    lines = []
    for number, line in enumerate(text.splitlines()):
        made = []
        for sign in line:
            if "a" <= sign <= "z":
                made.append(chr((ord(sign) - 97 + number + 3) % 26 + 97))
            elif "A" <= sign <= "Z":
                made.append(chr((ord(sign) - 65 + number + 3) % 26 + 65))
            else:
                made.append(sign)
        lines.append("".join(made))
    return "\\n".join(lines)
""",
        _words,
        ("97 + number + 3", "97 + number + 2"),
        ("65 + number + 3", "65 + number + 2"),
    ),
    Kernel(
        "edit distance",
        """
def solve(text):
    a, b = text.split()
    b = b.lower()
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        old, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            old, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, old + (x != y))
    return str(row[-1])
""",
        _pair_of_words,
        ("old + (x != y)", "old + 2 * (x == y)"),
        ("b = b.lower()", "pass"),
    ),
    Kernel(
        "ways to pay",
        """
def solve(text):
    amount, coin = map(int, text.split())
    ways = [1] + [0] * amount
    for value in (1, 5, coin, 2 * coin):
        for total in range(value, amount + 1):
            ways[total] = (ways[total] + ways[total - value]) % 1000007
    return f"{ways[amount]} {amount // coin}"
""",
        _one_number(50, 200),
        ("range(value, amount + 1)", "range(value, amount)"),
        ("{ways[amount]} ", "{ways[amount] if amount > 1 else 0} "),
    ),
    Kernel(
        "shortest way through a grid",
        """
from collections import deque

def solve(text):
    lines = text.split()
    rows, columns, grid = int(lines[0]), int(lines[1]), lines[2:]
    far = {(0, 0): 0}
    queue = deque([(0, 0)])
    while queue:
        r, c = queue.popleft()
        for a, b in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if 0 <= a < rows and 0 <= b < columns and grid[a][b] == "." and (a, b) not in far:
                far[a, b] = far[r, c] + 1
                queue.append((a, b))
    return f"{len(far)} {max(far.values())} {far.get((rows - 1, columns - 1), -1)}"
""",
        _grid,
        ("far[r, c] + 1", "far[r, c] + 2"),
        ("far.get((rows - 1, columns - 1), -1)", "-1"),
    ),
    Kernel(
        "shortest paths",
        """
import heapq

def solve(text):
    data = iter(map(int, text.split()))
    n, m = next(data), next(data)
    edges = [[] for _ in range(n)]
    for _ in range(m):
        a, b, w = next(data), next(data), next(data)
        edges[a].append((b, w))
    far, queue = [10**9] * n, [(0, n - 1), (0, 0)][1:]
    far[0] = 0
    while queue:
        length, a = heapq.heappop(queue)
        if length > far[a]:
            continue
        for b, w in edges[a]:
            if length + w < far[b]:
                far[b] = length + w
                heapq.heappush(queue, (far[b], b))
    back = [w for b, w in edges[n - 1] if b == 0]
    return " ".join(map(str, far)) + f"\\n{len(back)}"
""",
        _graph,
        ("length + w < far[b]", "w < far[b]"),
        ("{len(back)}", "0"),
    ),
    Kernel(
        "order of tasks",
        """
def solve(text):
    lines = [list(map(int, line.split())) for line in text.splitlines()]
    n = lines[0][0]
    after, waits = [[] for _ in range(n)], [0] * n
    for a, b, _ in lines[1:]:
        after[a].append(b)
        waits[b] += 1
    ready, order = [a for a in range(n) if waits[a] == 0], []
    while ready:
        ready.sort(reverse=True)
        a = ready.pop()
        order.append(a)
        for b in after[a]:
            waits[b] -= 1
            if waits[b] == 0:
                ready.append(b)
    if len(order) < n:
        return "IMPOSSIBLE"
    return " ".join(map(str, order))
""",
        _graph,
        ("ready.sort(reverse=True)", "order.append(-1)"),
        ('return "IMPOSSIBLE"', 'return ""'),
    ),
    Kernel(
        "connected parts",
        """
import sys

def solve(text):
    sys.setrecursionlimit(10000)
    data = list(map(int, text.split()))
    n, parent = data[0], list(range(data[0]))
    def find(a):
        if parent[a] != a:
            parent[a] = find(parent[a])
        return parent[a]
    merged = loops = 0
    for i in range(2, len(data), 3):
        a, b = find(data[i]), find(data[i + 1])
        if a != b:
            parent[a] = b
            merged += data[i + 2]
        loops += data[i] > data[i + 1]
    return f"{sum(find(a) == a for a in range(n))} {merged} {loops}"
""",
        _graph,
        ("merged += data[i + 2]", "merged += 1"),
        ("{loops}", "0"),
    ),
    Kernel(
        "spiral",
        """
def solve(text):
    values = list(map(int, text.split()[1:]))
    side = int(len(values) ** 0.5)
    grid = [values[i * side:(i + 1) * side] for i in range(side)]
    seen = []
    while grid:
        seen += grid.pop(0)
        grid = [list(row) for row in zip(*grid)][::-1]
    return " ".join(str(value) for value in seen)
""",
        _numbers(0, 99),
        ("[::-1]", "[::1]"),
        ("str(value)", "str(value).strip('-')"),
    ),
    Kernel(
        "places in a sorted list",
        """
def solve(text):
    values = list(map(int, text.split()[1:]))
    half = len(values) // 2
    shelf, found = sorted(values[:half]), []
    for wanted in values[half:]:
        low, high = 0, len(shelf)
        while low < high:
            middle = (low + high) // 2
            if shelf[middle] < wanted:
                low = middle + 1
            else:
                high = middle
        found.append(low)
    return " ".join(map(str, found)) + "\\n" + str(shelf[0])
""",
        _numbers(0, 300),
        ("shelf[middle] < wanted", "shelf[middle] > wanted"),
        ("str(shelf[0])", "str(max(shelf[0], 0))"),
    ),
    Kernel(
        "sliding largest",
        """
from collections import deque

def solve(text):
    values = [int(word) for word in text.split()[1:]]
    queue, out = deque(), []
    for i, value in enumerate(values):
        while queue and values[queue[-1]] <= value:
            queue.pop()
        queue.append(i)
        if queue[0] <= i - 4:
            queue.popleft()
        if i >= 3:
            out.append(values[queue[0]])
    return "\\n".join(map(str, out))
""",
        _numbers(0, 1000),
        ("queue[0] <= i - 4", "queue[0] <= i - 3"),
        ("int(word)", "abs(int(word))"),
    ),
    Kernel(
        "runs of letters",
        """
import re

def solve(text):
    out = []
    for line in text.splitlines():
        line = re.sub(r"\\s+", "-", line)
        parts, i = [], 0
        while i < len(line):
            j = i
            while j < len(line) and line[j] == line[i]:
                j += 1
            parts.append(f"{line[i]}{j - i}" if j - i > 1 else line[i])
            i = j
        out.append("".join(parts))
    return "\\n".join(out)
""",
        _words,
        ("j - i > 1", "j - i > 2"),
        ("parts.append(f", "parts.append(line[i] if line[i] in 'ABCDEO' else f"),
    ),
    Kernel(
        "powers and fibonacci numbers",
        """
def solve(text):
    n, base = map(int, text.split())
    a, b = 0, 1
    for _ in range(n):
        a, b = b, (a + b) % 998244353
    last = sum(int(digit) for digit in str(pow(base, max(n, 1), 10**200)))
    return f"{a} {pow(base, n, 1000000007)} {last}"
""",
        _one_number(5, 60),
        ("a, b = 0, 1", "a, b = 1, 2"),
        ("{pow(base, n, 1000000007)}", "{pow(base, max(n, 2), 1000000007)}"),
    ),
)
