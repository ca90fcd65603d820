"""A row of each data set that is published as rows of tests with texts or values, in its exact schema; made up by us.

`PARQUET` has the published Arrow types where they are not what pyarrow would choose.
"""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

QUESTION = "Read n and print 2 n."
PRINTS = "print(2 * int(input()))\n"
PYTHON2 = "print 2 * input()\n"
STARTER = "class Solution:\n    def twice(self, n: int) -> int:\n        "
METHOD = STARTER + "return 2 * n\n"
FUNCTION = "def twice(n):\n    return 2 * n\n"


def packed(tests: Any) -> str:
    """As LiveCodeBench packs its private tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


APPS: dict[str, Any] = {
    "problem_id": 11,
    "question": QUESTION,
    "solutions": json.dumps([PYTHON2, PRINTS]),
    "input_output": json.dumps({"inputs": ["2\n", "0\n"], "outputs": ["4\n", "0\n"]}),
    "difficulty": "interview",
    "url": "https://example.org/11",
    "starter_code": "",
}
TACO: dict[str, Any] = {
    "question": "Return 2 n.",
    "solutions": json.dumps([FUNCTION]),
    "starter_code": "def twice(n):\n\t",
    "input_output": json.dumps({"fn_name": "twice", "inputs": [[2], [0]], "outputs": [[4], [0]]}),
    "difficulty": "EASY",
    "raw_tags": "['Fundamentals']",
    "name": None,
    "source": "codewars",
    "tags": "['Fundamentals']",
    "skill_types": "[]",
    "url": "https://example.org/taco",
    "Expected Auxiliary Space": None,
    "time_limit": "2.0 seconds",
    "date": None,
    "picture_num": None,
    "memory_limit": "256.0 megabytes",
    "Expected Time Complexity": None,
}
PRIME: dict[str, Any] = {
    "data_source": "taco",
    "prompt": [
        {"role": "system", "content": "Think first."},
        {
            "role": "user",
            "content": f"{QUESTION}\n\nWrite Python code to solve the problem. Present the code in \n```python\n"
            "Your code\n```\nat the end.",
        },
    ],
    "ability": "code",
    "reward_model": {"style": "rule", "ground_truth": json.dumps({"inputs": ["2\n"], "outputs": ["4\n"]})},
    "extra_info": {"index": 0, "split": "train"},
}
LIVECODEBENCH: dict[str, Any] = {
    "question_title": "Twice",
    "question_content": "Return 2 n.",
    "platform": "leetcode",
    "question_id": "2727",
    "contest_id": "weekly-contest-1",
    "contest_date": "2023-08-21T00:00:00",
    "starter_code": STARTER,
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "2", "output": "4", "testtype": "functional"}]),
    "private_test_cases": packed([{"input": "0", "output": "0", "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "twice"}),
}
CODECONTESTS: dict[str, Any] = {
    "name": "1_A. Twice",
    "description": QUESTION,
    "public_tests": {"input": ["2\n"], "output": ["4\n"]},
    "private_tests": {"input": ["0\n"], "output": ["0\n"]},
    "generated_tests": {"input": ["7\n", "9\n"], "output": ["14\n", "18\n"]},
    "source": 2,
    "difficulty": 7,
    "solutions": {"language": [1, 2, 3, 3], "solution": [PYTHON2, "int main(){}", "def (", PRINTS]},
    "incorrect_solutions": {"language": [4, 3], "solution": ["class A {}", "print(input())\n"]},
    "cf_contest_id": 1,
    "cf_index": "A",
    "cf_points": 0.0,
    "cf_rating": 800,
    "cf_tags": ["implementation"],
    "is_description_translated": False,
    "untranslated_description": "",
    "time_limit": {"seconds": 2, "nanos": 500_000_000},
    "memory_limit_bytes": 256_000_000,
    "input_file": "",
    "output_file": "",
}
DEEPCODER: dict[str, Any] = {
    "problem": QUESTION,
    "solutions": ["```python\n" + PRINTS + "```"],
    "tests": json.dumps([{"type": "stdin_stdout", "input": "2\n", "output": "4\n", "fn_name": None}]),
}
OPEN_R1: dict[str, Any] = {
    "source": "apps",
    "task_type": "verifiable_code",
    "in_source_id": "11",
    "problem_statement": QUESTION,
    "gold_standard_solution": "```python\n" + PRINTS + "```",
    "problem_id": "vcp_1",
    "metadata": {
        "difficulty": "easy",
        "memory_limit": "256.0 megabytes",
        "memory_limit_bytes": None,
        "problem_url": "https://example.org/vcp",
        "time_limit": "1.5 seconds",
    },
    "verification_info": {
        "language": "python",
        "test_cases": [{"fn_name": None, "input": "2\n", "output": "4\n", "type": "stdin_stdout"}],
    },
}
CHECKER = """import sys
answer, given = (open(sys.argv[place]).read().split() for place in (2, 3))
print(1 if answer == given else 0)
"""
CODEFORCES: dict[str, Any] = {
    "id": "852/A",
    "aliases": None,
    "contest_id": "852",
    "contest_name": "Round 1",
    "contest_type": "ICPC",
    "contest_start": 1_500_000_000,
    "contest_start_year": 2017,
    "index": "A",
    "time_limit": 2.0,
    "memory_limit": 256.0,
    "title": "Twice",
    "description": "You are given n.",
    "input_format": "One number n.",
    "output_format": "2 n.",
    "interaction_format": None,
    "note": "Mind the zero.",
    "examples": [{"input": "2\n", "output": "4\n"}],
    "editorial": None,
    "rating": 800,
    "tags": ["math"],
    "testset_size": 3,
    "official_tests": [
        {"input": "2\n", "output": "4\n"},
        {"input": "0\n", "output": "0\n"},
        {"input": "1 2 3...", "output": "5\n"},
    ],
    "official_tests_complete": False,
    "input_mode": "stdio",
    "generated_checker": CHECKER,
    "executable": True,
    "generated_tests": 1,
}
RSTAR: dict[str, Any] = {
    "question_id": "seed_1",
    "question": "Return 2 n.",
    "starter_code": STARTER,
    "inputs": json.dumps(['{"n": 2}', "0"]),
    "outputs": json.dumps(["4", "0"]),
    "is_synthesized": json.dumps([False, True]),
    "test_case_type": json.dumps(["small", "large"]),
    "func_name": "twice",
    "class_name": "Solution",
}
SEED_SFT: dict[str, Any] = {
    "question_id": "seed_1",
    "question": "Return 2 n.",
    "starter_code": STARTER,
    "response": f"<think>easy</think>```python\n{METHOD}```",
    "code": METHOD,
    "verified": True,
    "is_passed": True,
}
SYNTHETIC: dict[str, Any] = {
    "question_id": "synthetic_1",
    "question": QUESTION,
    "inputs": json.dumps(["2\n", "0\n"]),
    "outputs": json.dumps(["4\n", "0\n"]),
}
SYNTHETIC_RL: dict[str, Any] = {
    "question_id": "synthetic_1",
    "question": QUESTION,
    "seed_question": "Another.",
    "seed_source": "codeforces",
}

PROBLEMS: dict[str, dict[str, Any]] = {
    "apps": APPS,
    "codecontests": CODECONTESTS,
    "codeforces": CODEFORCES,
    "deepcoder": DEEPCODER,
    "livecodebench": LIVECODEBENCH,
    "open_r1": OPEN_R1,
    "prime": PRIME,
    "rstar": RSTAR,
    "taco": TACO,
}
SOLUTIONS: dict[str, dict[str, Any]] = {
    "apps": APPS,
    "codecontests": CODECONTESTS,
    "rstar": SEED_SFT,
    "taco": TACO,
}
