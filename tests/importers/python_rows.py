"""A row of each format whose tests are Python source, in the schema in which it is published; all values are made up."""

from __future__ import annotations

from typing import Any

ACECODE: dict[str, Any] = {
    "id": "evol_7",
    "source": "evol",
    "question": "Write a function `twice` that doubles a number.",
    "test_cases": ["assert twice(2) == 4", "assert not twice(0)", "assert abs(twice(0.5) - 1) < 1e-9"],
    "inferences": [
        {"completion": "def twice(n):\n    return 2 * n\n", "completion_id": 0, "model_name": "m", "pass_rate": 1.0},
        {"completion": "def twice(n):\n    return n + 2\n", "completion_id": 1, "model_name": "m", "pass_rate": 1 / 3},
    ],
    "context_messages": [[{"content": "Write a function `twice` that doubles a number.", "role": "user"}]],
}
KODCODE: dict[str, Any] = {
    "version": "v1.0",
    "style": "instruct",
    "subset": "Prefill",
    "question_id": "Prefill_7_I",
    "question": "Write a function that doubles a number.",
    "solution": "def twice(n):\n    return 2 * n\n",
    "test": "from solution import twice\n\ndef test_two():\n    assert twice(2) == 4\n\ndef test_none():\n    assert twice(0) == 0\n",
    "test_info": [
        {
            "docstring": "Doubles a number.",
            "function_declaration": "def twice(n):",
            "function_name": "twice",
            "parameter_list": "(n)",
        }
    ],
    "gpt_pass_sequence": [1, 1, 0],
    "gpt_pass_trial_num": 2,
    "gpt_difficulty": "medium",
    "gpt_pass_percentage": 0.67,
    "trials": {},
    "chosen_trial": "trial_gpt4o_0",
    "metadata": {"original_instruction": None, "prompt_id": None, "row_id": 7, "seed_ids": None},
    "benchmark_similarity": 0.1,
    "benchmark_instruction": "",
    "benchmark_task_id": "",
    "filter_reason": None,
}
BIGCODEBENCH: dict[str, Any] = {
    "task_id": "BigCodeBench/7",
    "complete_prompt": 'import json\nimport os\nLIMIT = 3\n\ndef task_func(n):\n    """Write n twice."""\n',
    "instruct_prompt": "Write n as JSON, doubled.\nYou should write self-contained code starting with: ...",
    "canonical_solution": "    return json.dumps(2 * n)",
    "code_prompt": "import json\nimport os\nLIMIT = 3\ndef task_func(n):\n",
    "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test_case_1(self):\n"
    "        self.assertEqual(json.loads(task_func(LIMIT)), 6)\n"
    "    def test_case_2(self):\n        self.assertEqual(task_func(0), '0')\n",
    "entry_point": "task_func",
    "doc_struct": '{"description": ["Write n twice."]}',
    "libs": "['json', 'os']",
}
SANITIZED_MBPP: dict[str, Any] = {
    "source_file": "Benchmark Questions Verification V2.ipynb",
    "task_id": 7,
    "prompt": "Write a function to double a number.",
    "code": "def twice(n):\n  return 2 * n\n",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(twice(2), 4)", "assert twice(0) == 0"],
}
_SCRIPT = (
    "import numpy as np\n\ndef is_floats(x) -> bool:\n    return isinstance(x, float)\n\n"
    "def assertion(out, exp, atol):\n    exact_match = out == exp\n    if atol == 0 and is_floats(exp):\n        atol = 1e-6\n"
    "    if not exact_match and atol != 0:\n        assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n"
    "    else:\n        assert exact_match\n\n"
)
_LOOP = (
    "{0}inputs = [[2], [0.25], [(1, 2)]]\n{0}results = [4, 0.5, (1, 2, 1, 2)]\n"
    "{0}for i, (inp, exp) in enumerate(zip(inputs, results)):\n{0}    assertion({1}(*inp), exp, 0)\n"
)
HUMANEVAL_PLUS: dict[str, Any] = {
    "task_id": "HumanEval/7",
    "prompt": "def twice(n):\n    '''Twice n.'''\n",
    "canonical_solution": "    return 2 * n\n",
    "entry_point": "twice",
    "test": _SCRIPT + "def check(candidate):\n" + _LOOP.format("    ", "candidate"),
}
MBPP_PLUS: dict[str, Any] = {
    "task_id": 7,
    "code": "\ndef twice(n):\n  return 2 * n\n",
    "prompt": "Write a function to double a number.",
    "source_file": "Benchmark Questions Verification V2.ipynb",
    "test_imports": [],
    "test_list": ["assert twice(2) == 4"],
    "test": _SCRIPT + _LOOP.format("", "twice"),
}
LEETCODE: dict[str, Any] = {
    "problem": "Please solve the programming task below using a self-contained code snippet in a markdown code block.\n\n"
    "Given numbers, return their doubles.\n\u00a0\nPlease complete the following python code precisely:\n"
    "```python\nclass Solution:\n    def doubles(self, nums: List[int], k: int) -> List[int]:\n        \n```",
    "solutions": "class Solution:\n    def doubles(self, nums: List[int], k: int) -> List[int]:\n"
    "        return list(accumulate([inf][:0])) + [k * n for n in nums]\n",
    "tests": {
        "functional": "def check(candidate):\n    assert candidate(nums = [1, 2], k = 2) == [2, 4]\n"
        "    assert candidate(nums = [], k = 2) == []\n\n\ncheck(Solution().doubles)"
    },
}
LEETCODE_NODES: dict[str, Any] = {
    "problem": "Reverse a list.\n```python\n# Definition for singly-linked list.\n# class ListNode:\n"
    "#     def __init__(self, val=0, next=None):\n#         self.val = val\nclass Solution:\n"
    "    def back(self, head: Optional[ListNode], k: int) -> Optional[ListNode]:\n        \n```",
    "solutions": "class Solution:\n    def back(self, head: Optional[ListNode], k: int) -> Optional[ListNode]:\n"
    "        new = None\n        while head:\n            head.next, new, head = new, head, head.next\n        return new\n",
    "tests": {
        "functional": "def check(candidate):\n"
        "    assert is_same_list(candidate(k = 1, head = list_node([1, 2])), list_node([2, 1]))\n"
        "    assert is_same_list(candidate(list_node([]), k = 2), list_node([]))\n\n\ncheck(Solution().back)"
    },
}
OFFICIAL_SOLVE: dict[str, Any] = {
    "data_source": "rstar",
    "prompt": [{"role": "user", "content": "Read two integers, print their sum."}],
    "ability": "code",
    "reward_model": {"style": "rule", "ground_truth": ""},
    "extra_info": {
        "split": "train",
        "index": 0,
        "correctness": None,
        "inputs_outputs": '{"inputs": ["1 2\\n", "3 4\\n"], "outputs": ["3\\n", "7\\n"]}',
    },
}
OFFICIAL_CRITIQUE: dict[str, Any] = {
    "data_source": "rstar",
    "prompt": [
        {"role": "system", "content": "You judge code."},
        {"role": "user", "content": "Print 1.\n```python\nprint(2)\n```\nIs it right? Conclude."},
    ],
    "ability": "code",
    "reward_model": {"style": "rule", "ground_truth": ""},
    "extra_info": {"split": "test", "index": 1, "correctness": False, "inputs_outputs": None},
}
