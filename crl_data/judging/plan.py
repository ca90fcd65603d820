"""What is run for a problem, and what counts as right: decided once for a problem, before any solution is seen.

stdin      input as a file, standard output compared by the problem's rule              tamper-proof
function   a call of the entry point, its value compared                                tamper-proof
assert     taken apart where all its tests can be (`asserts`), the rest compared here    tamper-proof
           else run in the tester, the solution called by value                          tamper-proof
           else there, with objects that the solution makes; else beside the solution    not tamper-proof
pytest     in the tester, as above                                                       as above

Of the ways (`policy.Way`) the first is taken that the reference passes; without one, the first that the tests allow.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from crl_data import compare, starter
from crl_data.definitions import free_in, free_names, put_before
from crl_data.errors import InputError
from crl_data.judging import asserts, calls, interface, modules
from crl_data.judging.checker import Checker, CheckerFailed
from crl_data.judging.evidence import Graded
from crl_data.judging.helpers import helpers_of
from crl_data.judging.policy import Way
from crl_data.literals import one_line, shown
from crl_data.problems import fault_of, is_source
from crl_data.sandbox import Observation, Program
from crl_data.sandbox.client import Input
from crl_data.sandbox.runner import leetcode, values
from crl_data.types import Outcome, Problem, TestKind

_TOKEN = secrets.token_hex(16)  # what a test beside the solution says after its last statement

_OUTCOMES = {
    "raised": Outcome.RUNTIME_ERROR,
    "killed": Outcome.RUNTIME_ERROR,
    "load": Outcome.RUNTIME_ERROR,
    "missing": Outcome.RUNTIME_ERROR,
    "refused": Outcome.RUNTIME_ERROR,
    "protocol": Outcome.RUNTIME_ERROR,
    "timeout": Outcome.TIMEOUT,
    "memory": Outcome.MEMORY_LIMIT,
    "output": Outcome.OUTPUT_LIMIT,
    "fault": Outcome.JUDGE_ERROR,
    "failed": Outcome.WRONG_ANSWER,
    "cannot": Outcome.RUNTIME_ERROR,
}


@dataclass(frozen=True)
class Plan:
    """How a problem is judged: the way its tests run (`mode`), the inputs in test order, and what is expected.

    way: of tests written as source, which of the ways it is. told: what the tester is told. interface: see `interface`.
    """

    problem: Problem
    mode: str
    entry: str | None
    prelude: str
    inputs: tuple[Input, ...]
    tamper_proof: bool
    splits: tuple[asserts.SplitTest, ...] = ()
    expected: tuple[Any, ...] = ()
    rule: compare.OutputRule | None = field(default=None, repr=False)
    way: Way | None = None
    told: bytes = field(default=b"", repr=False)
    interface: str = field(default="", repr=False)

    @cached_property
    def leetcode(self) -> tuple[str, ...] | None:
        """See `leetcode_without`."""
        return leetcode_without(self.problem)

    def program(self, code: str) -> Program:
        return Program(
            code=code,
            mode=self.mode,
            entry=self.entry,
            prelude=self.prelude,
            tests=self.told,
            leetcode=self.leetcode,
        )

    def grade(self, test: int, seen: Observation, checker: Checker | None = None) -> Graded:
        """What an observation of a test is worth."""
        graded = self._grade(test, seen, checker)
        if not graded.detail:
            return graded
        return replace(graded, detail=one_line(graded.detail))  # some of it is the solution's own words

    def _grade(self, test: int, seen: Observation, checker: Checker | None) -> Graded:
        if seen.how != "ended":
            outcome = _OUTCOMES[seen.how]
            if self.mode == "beside" and seen.how == "raised" and seen.note.startswith("AssertionError"):
                outcome = Outcome.WRONG_ANSWER
            return Graded(outcome, seen.note, seen)
        if self.mode == "stdin":
            return self._grade_output(test, seen, checker)
        if self.mode == "served":
            return Graded(Outcome.PASSED, "", seen)
        if self.mode == "beside":
            whole = seen.answer == _TOKEN.encode()
            return Graded(
                Outcome.PASSED if whole else Outcome.RUNTIME_ERROR,
                "" if whole else "the test did not come to its end",
                seen,
            )
        return self._grade_calls(test, seen)

    def _grade_output(self, test: int, seen: Observation, checker: Checker | None) -> Graded:
        expected = self.problem.tests[test].expected
        if self.rule is not None:
            right = self.rule(expected.encode(), seen.answer)
        else:
            assert checker is not None
            try:
                right = checker.check(self.problem.tests[test], seen.answer)
            except CheckerFailed as error:
                return Graded(Outcome.JUDGE_ERROR, f"the checker failed: {error}", seen)
        if right:
            return Graded(Outcome.PASSED, "", seen)
        return Graded(
            Outcome.WRONG_ANSWER,
            f"expected {_shown(expected)}, got {_shown(seen.answer.decode('utf-8', 'backslashreplace'))}",
            seen,
        )

    def _grade_calls(self, test: int, seen: Observation) -> Graded:
        results: list[Any] = []
        try:
            for result in calls.results(seen.answer):
                if "value" not in result:
                    return _failed_call(result, seen)
                results.append(values.unpack(result["value"]))
        except calls.HOSTILE as error:
            return Graded(Outcome.RUNTIME_ERROR, f"not an answer of the wire format ({type(error).__name__})", seen)
        if self.problem.test_kind is TestKind.FUNCTION:
            return self._grade_value(test, results, seen)
        if len(results) != len(self.splits[test].calls):
            return Graded(Outcome.RUNTIME_ERROR, "fewer answers than calls", seen)
        try:
            self.splits[test].check(results)
        except asserts.AssertionFailed as error:
            return Graded(Outcome.WRONG_ANSWER, str(error), seen)
        except (asserts.TooLong, RecursionError) as error:  # the results of a right solution are not like that
            outcome = Outcome.JUDGE_ERROR if self.problem.reference is None else Outcome.WRONG_ANSWER
            return Graded(outcome, f"the assertion cannot be evaluated outside: {error}", seen)
        except Exception as error:  # the operator of the assertion does not take what came
            return Graded(Outcome.WRONG_ANSWER, f"{type(error).__name__}: {error}", seen)
        return Graded(Outcome.PASSED, "", seen)

    def _grade_value(self, test: int, results: list[Any], seen: Observation) -> Graded:
        if len(results) != 1:
            return Graded(Outcome.RUNTIME_ERROR, "other than one answer to one call", seen)
        try:
            if compare.same_value(self.expected[test], results[0]):
                return Graded(Outcome.PASSED, "", seen)
        except Exception as error:  # none is known; whatever a solution returns, the judge goes on
            return Graded(Outcome.WRONG_ANSWER, f"{type(error).__name__}: {error}", seen)
        return Graded(
            Outcome.WRONG_ANSWER, f"expected {_shown(self.problem.tests[test].expected)}, got {shown(results[0])}", seen
        )


def _failed_call(result: dict[str, Any], seen: Observation) -> Graded:
    if "cannot" in result:
        return Graded(Outcome.RUNTIME_ERROR, f"returned {str(result['cannot'])[:300]}, which has no plain form", seen)
    outcome = Outcome.MEMORY_LIMIT if result.get("raised") == "MemoryError" else Outcome.RUNTIME_ERROR
    return Graded(outcome, str(result.get("note", "an exception")), seen)


def _shown(text: str, most: int = 160) -> str:
    """A text on one line, in quotes where that makes it plainer, cut in the middle where it is long."""
    shown = text if text.isprintable() and text and text == text.strip() else repr(text)
    return shown if len(shown) <= most else shown[: most // 2] + " ... " + shown[-most // 4 :]


# --- making the plan --------------------------------------------------------------------------------------------------


def plan(problem: Problem, way: Way | None = None, shape: str = "") -> Plan:
    """The plan of a problem. `way` and `shape` (an interface) are for tests written as source; without a way, the first.

    Raises `InputError` where the tests are no tests.
    """
    fault = fault_of(problem)
    if fault is not None:
        raise InputError(f"problem {problem.id}: {fault.field}: expected {fault.expected}, got {fault.came}")
    if problem.test_kind is TestKind.STDIN:
        return _plan_stdin(problem)
    if problem.test_kind is TestKind.FUNCTION:
        return _plan_function(problem)
    for one in [way] if way else ways(problem):
        made = _plan_source(problem, one, shape)
        if made is not None:
            return made
    raise InputError(f"problem {problem.id}: its tests cannot be run by the way {way}")


def ways(problem: Problem) -> list[Way]:
    """The ways in which tests written as source can be run, best first; none for tests of other kinds."""
    if problem.test_kind is TestKind.ASSERT:
        return [Way.SPLIT, Way.TESTER, Way.HANDLES, Way.BESIDE]
    return [Way.TESTER, Way.HANDLES, Way.BESIDE] if problem.test_kind is TestKind.PYTEST else []


def _plan_source(problem: Problem, way: Way, shape: str) -> Plan | None:
    """The plan by one way; None where the tests do not allow it."""
    if problem.test_kind is TestKind.PYTEST:
        return _plan_module_beside(problem) if way is Way.BESIDE else _plan_module(problem, way, shape)
    if way is Way.SPLIT:
        return _plan_split(problem)
    return _plan_beside(problem) if way is Way.BESIDE else _plan_tester(problem, way, shape)


def _plan_stdin(problem: Problem) -> Plan:
    rule = None if is_source(problem.checker) else compare.output_rule(problem.checker)
    try:
        inputs = tuple(Input(test.input.encode(), _seed(problem, place)) for place, test in enumerate(problem.tests))
        for test in problem.tests:
            test.expected.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"problem {problem.id}: tests: expected text, got a lone surrogate ({error.reason})") from None
    return Plan(problem, "stdin", None, "", inputs, tamper_proof=True, rule=rule)


def asks_for_leetcode(problem: Problem) -> bool:
    """Whether starter code takes for granted what LeetCode has ready: it has its form, or uses names that nothing in it gives."""
    if problem.test_kind is TestKind.STDIN or not problem.starter_code:
        return False
    tree = starter.read(problem.starter_code)
    return tree is not None and (starter.is_leetcode(tree) or bool(free_in(tree) & leetcode.KNOWN))


def leetcode_without(problem: Problem) -> tuple[str, ...] | None:
    """The names that no program gets, where it gets LeetCode's: those that the tests take from it. None: it gets none.

    Else one that lacks the function `merge` would be judged by heapq's.
    """
    if not asks_for_leetcode(problem):
        return None
    setup = problem.test_setup or ""
    if problem.test_kind is TestKind.PYTEST:
        return modules.read(setup).names
    return tuple(interface.wanted(problem.entry_point, [test.input for test in problem.tests], setup))


def _plan_function(problem: Problem) -> Plan:
    inputs, expected = [], []
    shapes = starter.signature(problem.starter_code, problem.entry_point)
    for place, test in enumerate(problem.tests):
        try:
            inputs.append(
                _called(problem, place, [asserts.Call(tuple(json.loads(test.input)), {}, False)], False, shapes)
            )
        except values.CannotCross as error:
            raise InputError(
                f"problem {problem.id}: tests[{place}].input: expected plain arguments, got {error}"
            ) from None
        expected.append(starter.canonical(shapes.result if shapes else None, json.loads(test.expected)))
    return Plan(problem, "calls", problem.entry_point, "", tuple(inputs), tamper_proof=True, expected=tuple(expected))


def _plan_split(problem: Problem) -> Plan | None:
    setup, entry = problem.test_setup or "", problem.entry_point
    if entry is None:
        names = asserts.called_names(test.input for test in problem.tests) if not setup.strip() else set()
        entry = next(iter(names)) if len(names) == 1 else None
    if entry is None:
        return None
    try:
        splits = tuple(asserts.split(test.input, entry, setup) for test in problem.tests)
        inputs = tuple(_called(problem, place, one.calls) for place, one in enumerate(splits))
    except (asserts.Unsplittable, values.CannotCross, RecursionError):
        return None
    return Plan(problem, "calls", entry, "", inputs, tamper_proof=True, splits=splits, way=Way.SPLIT)


def _plan_beside(problem: Problem) -> Plan:
    inputs = tuple(
        Input(json.dumps({"source": test.input, "token": _TOKEN}).encode(), _seed(problem, place))
        for place, test in enumerate(problem.tests)
    )
    source = _prelude(problem)
    return Plan(problem, "beside", problem.entry_point, source, inputs, tamper_proof=False, way=Way.BESIDE)


def _plan_tester(problem: Problem, way: Way, shape: str) -> Plan:
    sources = [test.input for test in problem.tests]
    setup = problem.test_setup or ""
    names = interface.wanted(problem.entry_point, sources, setup)
    method = [(problem.entry_point or "").partition(".")[2]]
    shape = shape or interface.guessed(names, [setup, *sources], [one for one in method if one])
    known = json.loads(shape)
    told = {
        "kind": "assert",
        "source": _prelude(problem),
        "tests": sources,
        "names": [name for name in names if known.get(name, {"kind": "function"})["kind"] != "import"],
        "entry": names if problem.entry_point else None,
    }
    return _served(problem, way, shape, told)


def _prelude(problem: Problem) -> str:
    """What comes before each test: the helpers that are ours, and the set-up; and first what those take for granted."""
    tests, setup = [test.input for test in problem.tests], problem.test_setup or ""
    helpers = helpers_of(tests, setup, problem.entry_point, (problem.reference, problem.starter_code))
    source = put_before(helpers, setup)
    if problem.entry_point is None or not asks_for_leetcode(problem):
        return source
    taken = free_names("\n".join([source, *tests])) - {problem.entry_point.partition(".")[0]}
    return put_before(leetcode.source_of(taken), source)


def _plan_module(problem: Problem, way: Way, shape: str) -> Plan:
    source = problem.test_setup or ""
    module = modules.read(source)
    shape = shape or interface.guessed(module.names, [source])
    known = json.loads(shape)
    told = {
        "kind": "module",
        "source": source,
        "tests": [test.input for test in problem.tests],
        "names": [name for name in module.names if known.get(name, {"kind": "function"})["kind"] != "import"],
        "entry": None,
        "pytest": not _is_plain(problem, module),
    }
    return _served(problem, way, shape, told)


def _plan_module_beside(problem: Problem) -> Plan | None:
    """The small runner beside the solution; pytest itself never runs there."""
    module = modules.read(problem.test_setup or "")
    if module.imports_pytest or not _is_plain(problem, module):
        return None
    inputs = tuple(
        Input(json.dumps({"node": test.input, "token": _TOKEN}).encode(), _seed(problem, place))
        for place, test in enumerate(problem.tests)
    )
    return Plan(problem, "beside", None, problem.test_setup or "", inputs, tamper_proof=False, way=Way.BESIDE)


def _is_plain(problem: Problem, module: modules.TestModule) -> bool:
    return not module.needs_pytest and not any("[" in test.input for test in problem.tests)


def _served(problem: Problem, way: Way, shape: str, told: dict[str, Any]) -> Plan:
    told |= {"interface": json.loads(shape), "handles": way is Way.HANDLES}
    return Plan(
        problem,
        "served",
        problem.entry_point,
        told["source"],
        tuple(Input(str(place).encode(), _seed(problem, place)) for place in range(len(problem.tests))),
        tamper_proof=way is Way.TESTER,
        way=way,
        told=json.dumps(told).encode(),
        interface=shape,
    )


def _called(
    problem: Problem,
    place: int,
    made: Sequence[asserts.Call],
    exact: bool = True,
    shapes: starter.Signature | None = None,
) -> Input:
    packed = [calls.pack(call.args, call.named, call.iterate, exact, shapes) for call in made]
    return Input(calls.order(packed), _seed(problem, place))


def _seed(problem: Problem, place: int) -> int:
    """The seed that is set before a test: drawn from the problem and the test, and not from the solution."""
    test = problem.tests[place]
    digest = hashlib.blake2b(digest_size=8)
    for text in (problem.test_kind, problem.entry_point or "", test.input):
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return int.from_bytes(digest.digest(), "little")
