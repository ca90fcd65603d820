"""What starter code in LeetCode's style says of its method."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_data.sandbox.runner.leetcode import nodes_of, plain_of
from crl_data.starter import Shape, canonical, entry_point, fits, is_leetcode, read, signature

LINKED = "# Definition for singly-linked list.\n# class ListNode:\n#     def __init__(self, val=0, next=None):\n#         pass\n"


def method(arguments: str, result: str, head: str = "") -> str:
    return f"{head}class Solution:\n    def f(self, {arguments}) -> {result}:\n        "


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        ("int", None),
        ("List[int]", None),
        ("ListNode", "list"),
        ("Optional[ListNode]", "list"),
        ("'ListNode'", "list"),
        ("Optional['TreeNode']", "tree"),
        ("TreeNode | None", "tree"),
        ("None | TreeNode", "tree"),
        ("Union[TreeNode, None]", "tree"),
        ("List[Optional[ListNode]]", ["list"]),
        ("Optional[list[TreeNode]]", ["tree"]),
        ("List[List[TreeNode]]", [["tree"]]),
        ("typing.Optional[TreeNode]", "tree"),
        ("Dict[str, int]", None),
    ],
)
def test_an_annotation_says_what_a_value_is(annotation: str, shape: Shape) -> None:
    told = signature(method(f"a: {annotation}, k: int", annotation), "Solution.f")
    assert told is not None and told.unknown == "" and told.names == ("a", "k")
    assert (told.arguments, told.result, told.has_nodes) == ((shape, None), shape, shape is not None)


@pytest.mark.parametrize(
    ("starter", "unknown"),
    [
        (method("root: 'Node'", "int"), "Node"),
        (method("n: List[NestedInteger]", "int"), "NestedInteger"),
        (method("n: Dict[str, 'Node']", "int"), "Node"),
        (method("n: int", "Optional[Node]"), "Node"),
        (method("root", "int", LINKED), "ListNode"),
        (method("head: ListNode", "int", LINKED), ""),
        (method("head: ListNode", "Tuple[ListNode, int]"), "Tuple[ListNode, int]"),
        (method("by_name: Dict[str, Optional[TreeNode]]", "int"), "Dict[str, Optional[TreeNode]]"),
        (method("n: int", "int", "# class of 2020\n"), ""),
        (method("root: 'Node'", "int", "class Node:\n    pass\n"), ""),
        (method("root: Node", "int", "from tree import Node\n"), ""),
        (method("x: Deque[int], y: Counter, z: Decimal", "int", "from decimal import Decimal\n"), ""),
    ],
)
def test_a_class_that_nobody_knows_is_named(starter: str, unknown: str) -> None:
    told = signature(starter, "Solution.f")
    assert told is not None and told.unknown == unknown


def test_only_the_form_of_leetcode_can_ask_for_classes_that_nobody_defines() -> None:
    told = signature("def f(a: Frame) -> Series:\n    pass\n", "f")
    assert told is not None and told.unknown == "" and not told.has_nodes


@pytest.mark.parametrize(
    ("starter", "entry"),
    [
        (None, "f"),
        ("", "f"),
        ("def f(", "f"),
        ("def g():\n    pass\n", "f"),
        ("def f():\n    pass\n", "Solution.f"),
        ("def f(): pass", None),
    ],
)
def test_starter_code_that_says_nothing_is_nothing(starter: str | None, entry: str | None) -> None:
    assert signature(starter, entry) is None


def test_heads_without_bodies_are_read() -> None:
    source = "class Stack:\n\n    def __init__(self):\n        \n\n    def push(self, x: int) -> None:\n        # push it\n\n\nclass Solution:\n    @staticmethod\n    def f(a, b):\n"
    tree = read(source)
    assert tree is not None and is_leetcode(tree) and "push(self, x: int) -> None" in ast.unparse(tree)
    told = signature(source, "Solution.f")
    assert told is not None and told.names == ("a", "b")


@pytest.mark.parametrize(
    ("starter", "names"),
    [
        ("class Solution:\n    def f(self, a: List[Tuple[int, str]], b=(1, 2)) -> int:\n   ", ("a", "b")),
        ("class Solution:\n    def f(self, a: int) -> int:  # as in: f(1)\n", ("a",)),
        ("class Solution:\n    def f(self, a: int) -> int: # write here:\n    \n", ("a",)),
        ("def f(a,\n      b):", ("a", "b")),
        ("def f(a='#:'):\n\t", ("a",)),
        ("async def f():", ()),
    ],
)
def test_the_parameters_of_starter_code_that_is_no_whole_program(starter: str, names: tuple[str, ...]) -> None:
    told = signature(starter, entry_point("f", starter))
    assert told is not None and told.names == names


def test_the_entry_point_is_a_method_where_the_source_defines_it_in_a_class() -> None:
    assert entry_point("f", "class Solution:\n    def f(self, a: List[int]) -> int:\n        ") == "Solution.f"
    assert entry_point("f", "class Node:\n    def g(self): pass\n\ndef f(a):") == "f"
    assert entry_point("f", None, "import x\nclass A:\n\n    async def f(self): pass") == "A.f"
    assert entry_point("f", "class A:\n    def g(self):\n        def f(a): pass\n") == "f"
    assert entry_point("f", "def g(): pass", "class Solution:\n  def f(self): pass") == "Solution.f"
    assert entry_point("f") == entry_point("f", "", None, "def f(a") == "f"


@given(st.text(max_size=80))
def test_no_source_makes_a_search_for_the_entry_point_fail(source: str) -> None:
    assert entry_point("f", source).endswith("f")


@given(
    st.text(alphabet="class Solution:\n    def f(self)->x#'\"[]|", max_size=200), st.sampled_from(["f", "Solution.f"])
)
def test_reading_never_raises(starter: str, entry: str) -> None:
    signature(starter, entry)


VALUES = st.integers(-5, 5)
TREES = st.recursive(st.none(), lambda inner: st.tuples(VALUES, inner, inner), max_leaves=20)


def level_order(tree: tuple[int, object, object] | None) -> list[int | None]:
    """A tree of tuples as LeetCode writes it, put down in another way than the runner does."""
    found: list[int | None] = []
    row = [tree]
    while any(one is not None for one in row):
        found += [None if one is None else one[0] for one in row]
        row = [child for one in row if one is not None for child in one[1:]]  # type: ignore[misc]
    while found and found[-1] is None:
        found.pop()
    return found


@given(TREES, st.lists(VALUES))
def test_what_is_made_of_a_plain_value_is_made_a_plain_value_again(
    tree: tuple[int, object, object], items: list[int]
) -> None:
    for shape, value in (("tree", level_order(tree)), ("list", items), (["list"], [items, [], items])):
        assert fits(shape, value) and canonical(shape, value) == value
        assert plain_of(shape, nodes_of(shape, value)) == value


@pytest.mark.parametrize(
    ("shape", "value", "meant"),
    [
        ("list", None, []),
        ("tree", None, []),
        ("tree", [1, None, 2, None, None], [1, None, 2]),
        (["tree"], [None, [1, None]], [[], [1]]),
        (None, None, None),
    ],
)
def test_a_value_has_one_form(shape: Shape, value: object, meant: object) -> None:
    assert canonical(shape, value) == meant


@pytest.mark.parametrize(
    ("shape", "value"), [("list", 3), ("tree", "x"), ("tree", [None, 1]), (["list"], [3]), (["list"], 3)]
)
def test_what_no_node_can_be_made_of_does_not_fit(shape: Shape, value: object) -> None:
    assert not fits(shape, value)
