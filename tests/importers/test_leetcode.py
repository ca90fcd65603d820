"""LeetCode's problems as rllm has them: asserts, and calls with linked lists and trees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crl_data.errors import RowError
from crl_data.judging import Judge
from crl_data.problems import fault_of
from crl_data.types import TestKind
from tests.conftest import code, write_rows
from tests.importers.python_rows import LEETCODE, LEETCODE_NODES
from tests.importers.test_importers import only, problems, rows


def nodes_row(*checks: str, head: str = "head: ListNode, k: int = 0", result: str = "ListNode") -> dict[str, Any]:
    starter = f"class Solution:\n    def back(self, {head}) -> {result}:\n"
    body = "".join(f"    assert {check}\n" for check in checks)
    return {
        **LEETCODE_NODES,
        "problem": f"Do it.\n```python\n{starter}```",
        "tests": {"functional": f"def check(candidate):\n{body}\ncheck(Solution().back)"},
    }


def test_a_problem_is_an_assert_a_test(tmp_path: Path, strict_judge: Judge) -> None:
    problem = only(problems("leetcode", rows(tmp_path, LEETCODE)))
    assert (problem.test_kind, problem.entry_point) == (TestKind.ASSERT, "Solution.doubles")
    assert [test.input for test in problem.tests] == [
        "assert Solution().doubles(nums=[1, 2], k=2) == [2, 4]",
        "assert Solution().doubles(nums=[], k=2) == []",
    ]
    assert problem.question == "Given numbers, return their doubles.\n"
    assert problem.starter_code == "class Solution:\n    def doubles(self, nums: List[int], k: int) -> List[int]:\n"
    found = strict_judge.judge(problem, code(problem.reference))
    assert found.verdict is True and found.tamper_proof
    assert strict_judge.judge(problem, code(problem.reference.replace("k * n", "n"))).n_passed == 1


def test_where_tests_make_nodes_they_are_calls_with_lists_in_the_order_of_the_head(
    tmp_path: Path, strict_judge: Judge
) -> None:
    problem = only(problems("leetcode", rows(tmp_path, LEETCODE_NODES)))
    assert problem.test_kind is TestKind.FUNCTION
    assert [(test.input, test.expected) for test in problem.tests] == [("[[1, 2], 1]", "[2, 1]"), ("[[], 2]", "[]")]
    found = strict_judge.judge(problem, code(problem.reference))
    assert found.verdict is True and found.tamper_proof
    assert strict_judge.judge(problem, code(problem.reference.replace("return new", "return head"))).n_passed == 1


def test_lists_of_nodes_and_results_that_are_plain_are_read_too(tmp_path: Path) -> None:
    row = nodes_row(
        "candidate(heads = [list_node([1]), list_node([])]) == 3",
        head="heads: List[Optional[ListNode]]",
        result="int",
    )
    problem = only(problems("leetcode", rows(tmp_path, row)))
    assert [(test.input, test.expected) for test in problem.tests] == [("[[[1], []]]", "3")]
    row = nodes_row("candidate(root = tree_node([1,None,2])) is None", head="root: TreeNode", result="TreeNode")
    assert only(problems("leetcode", rows(tmp_path, row))).tests[0].expected == "null"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (nodes_row("candidate(tail = list_node([1])) == 1"), "other arguments"),
        (nodes_row("candidate(list_node([1]), head = list_node([1])) == 1"), "other arguments"),
        (nodes_row("candidate(k = 1, other = list_node([1])) == 1"), "other arguments"),
        (nodes_row("candidate(head = [1]) == list_node([1])"), "a plain value where"),
        (nodes_row("candidate(head = tree_node([1])) == list_node([1])"), "where its starter code has none"),
        (nodes_row("candidate(head = list_node([1]), k = list_node([1])) == list_node([1])"), "where its starter code has none"),
        (nodes_row("candidate(head = list_node([(1,)])) == list_node([1])"), "JSON"),
        (nodes_row("candidate(head = list_node([1])).val == 1"), "no plain comparison"),
        (nodes_row("is_same_list(candidate(head = list_node([1])))"), "no plain comparison"),
        (nodes_row("candidate(head = list_node([1])) == 1", head="head: 'Node', other: ListNode = None", result="int"), "a plain value"),
        ({**nodes_row("candidate(head = list_node([1])) == 1"), "problem": "No code."}, "does not say of what"),
        ({**LEETCODE, "tests": {"functional": "x = 1"}}, "not a function `check`"),
        ({**LEETCODE, "tests": {"functional": "def check(candidate):\n    for n in range(3):\n        assert candidate(n)\ncheck(Solution().f)"}}, "not asserts"),
        ({**LEETCODE, "tests": {"functional": "def check(candidate):\n    assert candidate(1)\ncheck(Solution(3).f)"}}, "not asserts"),
    ],
)  # fmt: skip
def test_tests_of_another_shape_are_set_aside_with_the_reason(row: dict[str, Any], why: str, tmp_path: Path) -> None:
    reading = problems("leetcode", rows(tmp_path, row))
    if "'Node'" in row["problem"]:
        assert reading.aside and not reading.found
        return
    assert len(reading.aside) == 1 and why in reading.aside[0].reason and not reading.found


def test_a_class_that_nobody_knows_is_set_aside_by_every_importer(tmp_path: Path) -> None:
    row = nodes_row(
        "candidate(root = None, head = list_node([1])) == 1", head="root: 'Node', head: ListNode", result="int"
    )
    reading = problems("leetcode", rows(tmp_path, row))
    assert [one.reason for one in reading.aside] == ["it takes or gives a class that is not known: Node"]
    own = {
        "id": "p",
        "question": "?",
        "test_kind": "function",
        "entry_point": "Solution.f",
        "tests": [{"input": "[1]", "expected": "1"}],
    }
    bad = problems(
        "problems",
        rows(tmp_path, {**own, "starter_code": "class Solution:\n    def f(self, a: Node): ..."}),
        strict=False,
    )
    assert [(error.field, error.came) for error in bad.bad] == [("starter_code", "Node")]


def test_a_problem_that_stands_twice_is_taken_once(tmp_path: Path) -> None:
    assert only(problems("leetcode", rows(tmp_path, LEETCODE, LEETCODE)))


def test_tests_that_are_no_python_are_a_bad_row(tmp_path: Path) -> None:
    for told in (None, {}, {"functional": 3}, {"functional": "def ("}, "def check(candidate): pass"):
        with pytest.raises(RowError, match=r"a\.jsonl:1: "):
            problems("leetcode", write_rows(tmp_path / "a.jsonl", [{**LEETCODE, "tests": told}]))


@pytest.mark.parametrize(("name", "found", "aside"), [("train", 1770, 1), ("test", 91, 0)])
def test_real_rows_are_problems(name: str, found: int, aside: int, shared_data: Path) -> None:
    """Six of the 97 of `test` stand there twice."""
    reading = problems("leetcode", shared_data / "rllm_code" / f"{name}_leetcode.jsonl.gz")
    assert (len(reading.found), len(reading.aside)) == (found, aside)
    assert all(fault_of(problem) is None for problem in reading.found)
    kinds = Counter(problem.test_kind for problem in reading.found)
    assert (kinds[TestKind.FUNCTION] > 100) is (name == "train") and kinds[TestKind.ASSERT] > 80
