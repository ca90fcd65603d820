"""What LeetCode has ready for a program in its style: names of the standard library, linked lists and trees.

`KNOWN` are names that star imports give there, and modules; none of them is one of Python's own. A program gets those that
its text names, before it is executed, so that whatever it defines itself comes after. Nodes are made of plain values for
arguments, and plain values of nodes for results (`crl_data.starter` says in which form): in the solution's process, whose
word counts for nothing but the value that it returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import values

MAX_NODES = 1_000_000

_MODULES = (
    "array bisect cmath collections copy datetime decimal fractions functools heapq itertools json math operator random re "
    "statistics string sys time typing"
)
_NAMES = {
    "typing": "Any Callable Deque DefaultDict Dict FrozenSet Generator Generic Iterable Iterator List Mapping "
    "MutableMapping NamedTuple NoReturn Optional Sequence Set Tuple Type TypeVar Union",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "bisect": "bisect_left bisect_right insort insort_left insort_right",
    "itertools": "accumulate chain combinations combinations_with_replacement count cycle dropwhile filterfalse groupby "
    "islice pairwise permutations product repeat starmap takewhile zip_longest",
    "functools": "cache cached_property cmp_to_key lru_cache partial reduce total_ordering wraps",
    "math": "acos asin atan atan2 ceil comb cos degrees dist e exp fabs factorial floor fmod fsum gcd hypot inf isclose "
    "isfinite isinf isnan isqrt lcm log log10 log2 modf nan perm pi prod radians sin sqrt tan tau trunc",
    "operator": "add and_ attrgetter concat floordiv ge gt iand inv invert ior itemgetter ixor le lshift lt mod mul ne neg "
    "not_ or_ rshift sub truediv xor",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits punctuation",
    "copy": "deepcopy",
    "random": "choice choices randint randrange sample shuffle uniform",
    "statistics": "mean median mode",
    "datetime": "date timedelta",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "re": "findall finditer fullmatch",
}


def _table() -> dict[str, tuple[str, str]]:
    """Each name and where it comes from: a module of that name comes first, then what stands higher in the table."""
    found: dict[str, tuple[str, str]] = {}
    for module, names in reversed(_NAMES.items()):
        found |= {name: (module, name) for name in names.split()}
    return found | {name: (name, "") for name in _MODULES.split()}


class ListNode:
    """LeetCode's node of a linked list."""

    def __init__(self, val: Any = 0, next: Any = None) -> None:  # noqa: A002, LeetCode's own name
        self.val = val
        self.next = next


class TreeNode:
    """LeetCode's node of a binary tree."""

    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val = val
        self.left = left
        self.right = right


ListNode.__module__ = TreeNode.__module__ = "solution"  # as if the program had them
_NODES = {"ListNode": ListNode, "TreeNode": TreeNode}
_TABLE = _table()
KNOWN = frozenset({*_TABLE, *_NODES})


def given(names: Iterable[str]) -> dict[str, Any]:
    """The objects that a program gets, of the names that stand in it."""
    found: dict[str, Any] = {}
    for name in sorted(set(names) & KNOWN):
        if name in _NODES:
            found[name] = _NODES[name]
            continue
        module, within = _TABLE[name]
        value = __import__(module)
        found[name] = getattr(value, within) if within else value
    return found


def source_of(names: Iterable[str]) -> str:
    """The same for tests that are ours, as Python source."""
    lines = []
    for name in sorted(set(names) & KNOWN):
        if name in _NODES:
            lines.append(_NODE_SOURCES[name])
        else:
            module, within = _TABLE[name]
            lines.append(f"from {module} import {within}" if within else f"import {module}")
    return "".join(line + "\n" for line in lines)


_NODE_SOURCES = {
    "ListNode": "class ListNode:\n    def __init__(self, val=0, next=None):\n        self.val = val\n        self.next = next",
    "TreeNode": "class TreeNode:\n    def __init__(self, val=0, left=None, right=None):\n        self.val = val\n"
    "        self.left = left\n        self.right = right",
}


# --- nodes ------------------------------------------------------------------------------------------------------------


def nodes_of(shape: Any, value: Any) -> Any:
    """What a plain value stands for, by its shape."""
    if shape is None or value is None:
        return value
    if isinstance(shape, list):
        return [nodes_of(shape[0], one) for one in value]
    return _tree(value) if shape == "tree" else _linked(value)


def _linked(items: list[Any]) -> ListNode | None:
    head = None
    for item in reversed(items):
        head = ListNode(item, head)
    return head


def _tree(items: list[Any]) -> TreeNode | None:
    if not items:
        return None
    waiting = [root := TreeNode(items[0])]
    rest = iter(items[1:])
    for node in waiting:  # which grows
        for side in ("left", "right"):
            item = next(rest, None)
            if item is not None:
                child = TreeNode(item)
                setattr(node, side, child)
                waiting.append(child)
    return root


def plain_of(shape: Any, value: Any) -> Any:
    """The plain value of what a program returned. Raises `values.CannotCross` for what is no list or tree."""
    if shape is None:
        return value
    if isinstance(shape, list):
        if not isinstance(value, list | tuple | None):
            raise values.CannotCross(f"a value of type {type(value).__name__} in the place of a list")
        return value if value is None else [plain_of(shape[0], one) for one in value]
    return _level_order(value) if shape == "tree" else _items(value)


def _items(node: Any) -> list[Any]:
    found: list[Any] = []
    seen: dict[int, Any] = {}  # it holds the nodes, so that no number of an object is used again
    while node is not None:
        if id(node) in seen:
            raise values.CannotCross("a linked list in which a node comes twice")
        _count(len(seen), "linked list")
        seen[id(node)] = node
        found.append(node.val)
        node = node.next
    return found


def _level_order(root: Any) -> list[Any]:
    """A node may be the child of several, as long as there is an end: nobody who looks at the tree sees it."""
    found: list[Any] = []
    waiting = [root]
    nodes = 0
    for node in waiting:  # which grows
        if node is None:
            found.append(None)
            continue
        _count(nodes, "tree")
        nodes += 1
        found.append(node.val)
        waiting += (node.left, node.right)
    while found and found[-1] is None:
        found.pop()
    return found


def _count(before: int, what: str) -> None:
    if before >= MAX_NODES:
        raise values.CannotCross(f"a {what} of more than {MAX_NODES:,} nodes")
