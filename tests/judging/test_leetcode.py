"""LeetCode's names, linked lists and trees: there where starter code takes them for granted, and nowhere else."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import pytest

from crl_data.errors import InputError
from crl_data.judging import Judge
from crl_data.judging.plan import asks_for_leetcode, plan
from crl_data.judging.policy import Way
from crl_data.problems import fault_of
from crl_data.sandbox.runner import leetcode
from crl_data.types import Problem, Test, TestKind
from tests.conftest import assert_problem, function_problem, judged, stdin_problem, way_of

TWO_SUM = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
TWO_SUM_CODE = (
    "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
    "        seen = defaultdict(deque)\n        best = inf\n        for i, x in enumerate(nums):\n"
    "            if target - x in seen:\n                return [seen[target - x][0], i]\n"
    "            seen[x].append(i)\n        return [math.floor(1.5), len(Counter(nums))]\n"
)
CASES: tuple[tuple[list[Any], Any], ...] = (([[2, 7, 11], 9], [0, 1]), ([[3, 3], 6], [0, 1]))
NODE = "# Definition for singly-linked list.\n# class ListNode:\n#     def __init__(self, val=0, next=None):\n"


def two_sum(kind: TestKind, starter: str | None) -> Problem:
    if kind is TestKind.FUNCTION:
        return function_problem("Solution.twoSum", *CASES, starter_code=starter)
    calls = [f"Solution().twoSum(nums = {a}, target = {t})" for (a, t), _ in CASES]
    if kind is TestKind.ASSERT:
        tests = [f"assert {call} == {out}" for call, (_, out) in zip(calls, CASES, strict=True)]
        return assert_problem("Solution.twoSum", *tests, starter_code=starter)
    bodies = [f"    assert {call} == {out}\n" for call, (_, out) in zip(calls, CASES, strict=True)]
    module = "from solution import Solution\n" + "".join(f"def test_{n}():\n{body}" for n, body in enumerate(bodies))
    tests_ = tuple(Test(input=f"test_{n}") for n in range(len(bodies)))
    return Problem(id="p", question="?", test_kind=kind, tests=tests_, test_setup=module, starter_code=starter)


KINDS = [TestKind.FUNCTION, TestKind.ASSERT, TestKind.PYTEST]


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_starter_code_takes_for_granted_are_there(kind: TestKind, judge: Judge) -> None:
    problem = replace(two_sum(kind, TWO_SUM), reference=TWO_SUM_CODE)
    assert judge.prepare(problem).result().reference_fault == ""
    assert judged(judge, problem, TWO_SUM_CODE).verdict is True
    wrong = judged(judge, problem, TWO_SUM_CODE.replace("[0], i]", "[0], i + 1]"))
    assert wrong.verdict is False and wrong.n_passed == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "starter", [None, "def twoSum(nums, target):\n    pass\n", "from typing import List\ndef f(x: List[int]): pass\n"]
)
def test_where_starter_code_asks_for_nothing_nothing_is_there(
    kind: TestKind, starter: str | None, judge: Judge
) -> None:
    found = judged(judge, two_sum(kind, starter), TWO_SUM_CODE)
    assert found.verdict is False and "NameError: name 'List' is not defined" in found.reason


@pytest.mark.parametrize("way", [Way.TESTER, Way.HANDLES, Way.BESIDE])
def test_names_are_there_in_every_way_in_which_a_test_can_be_run(way: Way, judge: Judge) -> None:
    """A test that keeps the solution's object needs handles, one that replaces a module's function a common process."""
    tests = {
        Way.TESTER: "for nums in ([2, 7], [1, 8]):\n    assert Solution().twoSum(nums, 9) == [0, 1]",
        Way.HANDLES: "one = Solution().kept([2, 7])\nassert one.items == [2, 7] and inf > 1",
        Way.BESIDE: "import heapq\nclass Odd(list):\n    pass\none = Odd([2, 7])\nassert Solution().twoSum(one, 9) == [0, 1] and Solution().same(one) is one",
    }
    code = TWO_SUM_CODE + (
        "    def kept(self, nums):\n        return Kept(list(deque(nums)))\n    def same(self, one):\n        return one\n"
        "class Kept:\n    def __init__(self, items):\n        self.items = items\n"
    )
    problem = assert_problem("Solution.twoSum", tests[way], starter_code=TWO_SUM, reference=code)
    assert way_of(judge, problem) is way
    assert judged(judge, problem, code).verdict is True


def test_a_set_up_may_import_from_the_future(judge: Judge) -> None:
    """What is ours comes before a set-up, and still after what has to stand first in it."""
    setup = (
        '"""Tests."""\nfrom __future__ import annotations\ndef same(one: Nothing, other):\n    return one == other\n'
    )
    test = "one = Solution()\nassert same(one.twoSum([2, 7], 9), half([0, 2, 1])) and deque([1])"
    reference = TWO_SUM_CODE + "def half(items):\n    return items[::2]\n"
    problem = assert_problem("Solution.twoSum", test, starter_code=TWO_SUM, test_setup=setup, reference=reference)
    found = judged(judge, problem, TWO_SUM_CODE)
    assert found.verdict is True, found.reason


def test_a_program_that_brings_its_own_names_keeps_them_and_its_lines(judge: Judge) -> None:
    problem = two_sum(TestKind.FUNCTION, TWO_SUM)
    own = "from __future__ import annotations\nfrom typing import *\ninf = 7\nclass deque: pass\nclass Solution:\n    def twoSum(self, nums: Nothing, target):\n        assert inf == 7 and deque() and Counter is not None\n        return [nums.index(x) if nums.count(x) == 1 else i for i, x in enumerate(nums[:2])]\n"
    assert judged(judge, problem, own).verdict is True, judged(judge, problem, own).reason
    found = judged(judge, problem, TWO_SUM_CODE.replace("best = inf", "best = infinite"))
    assert "NameError: name 'infinite' is not defined" in found.reason and "(line 4)" in found.reason


def test_built_in_functions_stay_python_s_own() -> None:
    assert not leetcode.KNOWN & set(dir(builtins))
    assert set(leetcode.given(leetcode.KNOWN)) == leetcode.KNOWN
    space: dict[str, Any] = {}
    exec(leetcode.source_of(leetcode.KNOWN), space)  # noqa: S102
    assert space.keys() >= leetcode.KNOWN


def test_starter_code_of_a_program_that_reads_and_prints_asks_for_nothing() -> None:
    assert not asks_for_leetcode(stdin_problem(("1\n", "1\n"), starter_code="class Solution:\n    pass\n"))
    assert asks_for_leetcode(function_problem("f", ([1], 1), starter_code="def f(n: Optional[int]):"))
    assert not asks_for_leetcode(function_problem("f", ([1], 1), starter_code="def f(n: int): not Python"))


@pytest.mark.parametrize("deep", ["x = " + "+".join(["1"] * 900), "def g(a: " + "|".join(["A"] * 2000) + "): pass"])
def test_starter_code_that_is_deep_is_read_or_asks_for_nothing(deep: str, judge: Judge) -> None:
    code = f"{deep.replace('A', 'int')}\ndef f(n):\n    return n\n"
    problem = function_problem("f", ([1], 1), starter_code=f"{deep}\ndef f(n: int): pass\n", reference=code)
    assert judged(judge, problem, code).verdict is True
    plain = deep.replace("A", "int")  # where it is not too deep to be read, a class A is one that nobody knows
    method = f"class Solution:\n    {plain}\n    def f(self, n: int): pass\n".replace("def g(a", "def f(self, a")
    assert plan(function_problem("Solution.f", ([1], 1), starter_code=method)).leetcode == ("Solution",)
    source = f"{deep}\ny = lambda: (x, g)\n" if "x =" in deep else deep
    tests = assert_problem("f", "assert f(1) == 1 and y", starter_code=problem.starter_code, reference=code + source)
    assert judge.prepare(tests).result().plan is not None


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_under_test_never_comes_from_a_library(kind: TestKind, judge: Judge) -> None:
    """`add` is a name of the module operator too: a program without the function fails."""
    starter_code = "def add(nums: List[int], more: List[int]) -> List[int]:\n"
    if kind is TestKind.FUNCTION:
        problems = [function_problem("add", ([[1], [2]], [1, 2]), starter_code=starter_code)]
    elif kind is TestKind.ASSERT:
        test = "assert add([1], [2]) == [1, 2]"
        problems = [assert_problem(entry, test, starter_code=starter_code) for entry in ("add", None)]
        loop = f"for _ in range(2):\n    {test}"
        problems += [assert_problem(entry, loop, starter_code=starter_code) for entry in ("add", None)]
    else:
        module = "from solution import add\ndef test_it():\n    assert add([1], [2]) == [1, 2]\n"
        test_ = (Test(input="test_it"),)
        problems = [
            Problem(id="p", question="?", test_kind=kind, tests=test_, test_setup=module, starter_code=starter_code)
        ]
    for problem in problems:
        assert asks_for_leetcode(problem)
        found = judged(judge, problem, "class Other:\n    def add(self, a: List[int]): return inf\nOther().add(0)\n")
        assert found.verdict is False and "add" in found.reason, found.reason
        assert judged(judge, problem, "def add(a: List[int], b):\n    return [*chain(a, b)]\n").verdict is True


# --- nodes ------------------------------------------------------------------------------------------------------------


def nodes(arguments: str, result: str, *cases: tuple[list[Any], Any], **more: Any) -> Problem:
    head = NODE if "ListNode" in arguments else ""
    starter = f"{head}class Solution:\n    def f(self, {arguments}) -> {result}:\n        "
    return function_problem("Solution.f", *cases, starter_code=starter, **more)


REVERSE = nodes(
    "head: Optional[ListNode]", "Optional[ListNode]", ([[1, 2, 3]], [3, 2, 1]), ([[]], []), ([None], None), ([[7]], [7])
)
REVERSED = (
    "class Solution:\n    def f(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        new = None\n"
    "        while head:\n            head.next, new, head = new, head, head.next\n        return new\n"
)
MIRROR = nodes(
    "root: Optional[TreeNode], k: int",
    "Optional[TreeNode]",
    ([[1, 2, 3, None, 4], 1], [1, 3, 2, None, None, 4]),
    ([[], 0], []),
    ([[5], 0], [5, None]),
)
MIRRORED = (
    "class Solution:\n    def f(self, root, k):\n        if root:\n"
    "            root.left, root.right = self.f(root.right, k), self.f(root.left, k)\n        return root\n"
)
MERGE = nodes("lists: List[Optional[ListNode]]", "Optional[ListNode]", ([[[1, 4], [2], []]], [1, 2, 4]), ([[]], []))
MERGED = (
    "class Solution:\n    def f(self, lists):\n        found = []\n        for one in lists:\n            while one:\n"
    "                heappush(found, one.val)\n                one = one.next\n        start = last = ListNode()\n"
    "        while found:\n            last.next = ListNode(heappop(found))\n            last = last.next\n        return start.next\n"
)
SPLIT = nodes("head: ListNode", "List[ListNode]", ([[1, 2, 3]], [[1], [2], [3]]), ([[]], []))
SPLITTED = "class Solution:\n    def f(self, head):\n        found = []\n        while head:\n            found.append(ListNode(head.val))\n            head = head.next\n        return found\n"
FORMS = [(REVERSE, REVERSED), (MIRROR, MIRRORED), (MERGE, MERGED), (SPLIT, SPLITTED)]


@pytest.mark.parametrize(("problem", "right"), FORMS, ids=["list", "tree", "lists in", "lists out"])
def test_lists_and_trees_are_made_and_read(problem: Problem, right: str, judge: Judge) -> None:
    assert fault_of(problem) is None
    found = judged(judge, problem, right)
    assert found.verdict is True and found.tamper_proof, found.reason
    own = "class ListNode:\n    def __init__(self, val=0, next=None):\n        self.val, self.next = val, next\n"
    own += "class TreeNode:\n    pass\n"
    assert judged(judge, problem, own + right).verdict is True  # a class of its own that is like LeetCode's
    untouched = judged(judge, problem, "class Solution:\n    def f(self, one, *more):\n        return one\n")
    assert untouched.verdict is False, untouched.reason


DEEP = 20_000


def test_a_long_list_and_a_deep_tree_cross(judge: Judge) -> None:
    long = list(range(DEEP))
    problem = nodes("head: ListNode", "ListNode", ([long], long[::-1]))
    assert judged(judge, problem, REVERSED).verdict is True
    chain = [item for n in range(DEEP) for item in ((n,) if n == 0 else (None, n))]
    same = nodes("root: TreeNode", "TreeNode", ([chain], chain))
    assert judged(judge, same, "class Solution:\n    def f(self, root):\n        return root\n").verdict is True


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "class Solution:\n    def f(self, head):\n        one = ListNode(1)\n        one.next = one\n        return one\n",
            "a node comes twice",
        ),
        (
            "class Solution:\n    def f(self, head):\n        a, b = ListNode(3), ListNode(2)\n        a.next, b.next = b, a\n        return a\n",
            "a node comes twice",
        ),
        (
            "class E:\n    val = 1\n    @property\n    def next(self):\n        return E()\nclass Solution:\n    def f(self, head):\n        return E()\n",
            "of more than",
        ),
        ("class Solution:\n    def f(self, head):\n        return [3, 2, 1]\n", "'list' object has no attribute 'val'"),
        ("class Solution:\n    def f(self, head):\n        return ListNode(ListNode(3))\n", "which has no plain form"),
        (
            "class Y:\n    def __eq__(self, o): return True\nclass Solution:\n    def f(self, head):\n        return ListNode(Y())\n",
            "which has no plain form",
        ),
        (
            "class ListNode:\n    def __init__(self, *a): pass\n    val = property(lambda s: 1 / 0)\nclass Solution:\n    def f(self, head):\n        return ListNode()\n",
            "ZeroDivisionError",
        ),
    ],
    ids=["cycle", "cycle of two", "endless", "plain", "node in node", "equal to all", "lying"],
)
def test_what_is_no_list_fails_and_says_why(code: str, why: str, judge: Judge) -> None:
    problem = nodes("head: ListNode", "ListNode", ([[1, 2, 3]], [3, 2, 1]))
    found = judged(judge, problem, code)
    assert found.verdict is False and why in found.reason, found.reason


SHARES = nodes("n: int", "List[TreeNode]", ([3], [[0, 0, 0]]))


def test_a_tree_may_have_the_same_child_twice_but_has_an_end(judge: Judge) -> None:
    """What a solution that remembers subtrees returns (all full binary trees): LeetCode takes it."""
    code = "class Solution:\n    def f(self, n):\n        one = TreeNode(0)\n        return [TreeNode(0, one, one)]\n"
    found = judged(judge, SHARES, code)
    assert found.verdict is True, found.reason
    endless = code.replace("return", "one.left = one\n        return")
    found = judged(judge, SHARES, endless)
    assert found.verdict is False and "a tree of more than" in found.reason, found.reason


@pytest.mark.parametrize(
    ("result", "right"),
    [("[ListNode(1)]", True), ("(ListNode(1),)", True), ("g()", False), ("{ListNode(1): 2}", False)],
)
def test_a_list_of_nodes_is_a_list_as_one_of_plain_values_is(result: str, right: bool, judge: Judge) -> None:
    problem = nodes("n: int", "List[ListNode]", ([1], [[1]]))
    code = f"def g():\n    yield ListNode(1)\nclass Solution:\n    def f(self, n):\n        return {result}\n"
    found = judged(judge, problem, code)
    assert found.verdict is right and (right or "in the place of a list" in found.reason), found.reason
    starter = "class Solution:\n    def f(self, n: int) -> List[int]:\n"
    plain = function_problem("Solution.f", ([1], [1]), starter_code=starter)
    assert judged(judge, plain, code.replace("ListNode(1)", "1")).verdict is right


def test_a_program_cannot_change_what_nodes_are_for_us(judge: Judge) -> None:
    """What it does to the class that it was given reaches its own process, and its answer is compared as any other."""
    problem = nodes("head: ListNode", "ListNode", ([[1, 2, 3]], [3, 2, 1]), ([[4, 5]], [5, 4]))
    for change in (
        "ListNode.__eq__ = lambda a, b: True\n",
        "ListNode.val = property(lambda s: 3, lambda s, v: None)\n",
        "ListNode.__init__ = lambda s, *a: None\nListNode.val = ListNode.next = None\n",
        "import sys, gc\nfor m in list(sys.modules.values()):\n    for n in ('plain_of', '_items', 'nodes_of'):\n        if hasattr(m, n): setattr(m, n, lambda *a: [3, 2, 1])\n",
    ):
        found = judged(judge, problem, change + "class Solution:\n    def f(self, head):\n        return head\n")
        assert found.verdict is False, (change, found.reason)


def test_a_class_that_is_not_known_is_never_a_verdict(judge: Judge) -> None:
    problem = function_problem(
        "Solution.f", ([[1]], [1]), starter_code="class Solution:\n    def f(self, root: 'Node') -> 'Node':\n"
    )
    fault = fault_of(problem)
    assert fault is not None and (fault.field, fault.came) == ("starter_code", "Node")
    with pytest.raises(InputError, match=r"starter_code: expected .*ListNode.*, got Node"):
        judged(judge, problem, "class Solution:\n    def f(self, root):\n        return root\n")
    assert_kind = assert_problem("Solution.f", "assert Solution().f(1) == 1", starter_code=problem.starter_code)
    assert fault_of(assert_kind) is None and plan(assert_kind).way is Way.SPLIT


def test_tests_of_nodes_that_are_no_lists_are_a_fault() -> None:
    for case, field in (
        (([3], []), "tests[0].input"),
        (([[1]], 3), "tests[0].expected"),
        (([[1]], {}), "tests[0].expected"),
    ):
        fault = fault_of(nodes("head: ListNode", "ListNode", case))
        assert fault is not None and fault.field == field
