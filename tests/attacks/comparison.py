"""Output that is wrong, and that a loose comparison holds to be the same."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ADD, HALVES, LINES, SMILE, SORTED, SUM, THOUSANDS

_LOOSE = "fresh_processes:"
_SUM = "a, b = map(int, input().split())\n"

ATTACKS: list[Attack] = [
    *attacks(
        Group.COMPARISON,
        LINES,
        _LOOSE + "sets",
        {"each word once": "print('YES\\nNO')", "one word too many": "print('YES\\nNO\\n' * int(input()))"},
    ),
    *attacks(
        Group.COMPARISON,
        LINES,
        _LOOSE + "zip_lines",
        {"lines left out at the end": "print('YES\\nNO\\nYES')", "lines too many": "print('YES\\nNO\\n' * 50)"},
    ),
    *attacks(
        Group.COMPARISON,
        LINES,
        _LOOSE + "any_case",
        {
            "small letters": "for n in range(int(input())): print('no' if n % 2 else 'yes')",
            "mixed letters": "for n in range(int(input())): print('No' if n % 2 else 'yEs')",
        },
    ),
    *attacks(
        Group.COMPARISON,
        LINES,
        _LOOSE + "contains",
        {
            "all answers, one after another": "for n in range(9):\n    for k in range(n): print('NO' if k % 2 else 'YES')\n    print()"
        },
    ),
    *attacks(
        Group.COMPARISON,
        LINES,
        _LOOSE + "any_order",
        {"sorted": "n = int(input())\nfor word in sorted(['YES', 'NO'] * (n // 2) + ['YES'] * (n % 2)): print(word)"},
    ),
    *attacks(
        Group.COMPARISON,
        THOUSANDS,
        _LOOSE + "decimals",
        {
            "underscores": "print(f'{int(input()) * 1000:_}')",
            "an exponent": "print(input().strip() + 'e3')",
            "a fraction of zero": "print(f'{int(input()) * 1000}.0')",
            "leading zeros": "print(f'{int(input()) * 1000:012d}')",
            "a plus sign": "print(f'{int(input()) * 1000:+d}')",
            "full-width digits": "print(''.join(chr(ord(c) + 0xFEE0) for c in str(int(input()) * 1000)))",
            "Arabic digits": "print(''.join(chr(ord(c) - 48 + 0x660) for c in str(int(input()) * 1000)))",
        },
    ),
    *attacks(
        Group.COMPARISON,
        SUM,
        _LOOSE + "close",
        {
            "nearly": _SUM + "print(a + b + 0.4)",
            "not a number": "print('nan')",
            "minus not a number": "print('-nan')",
        },
    ),
    *attacks(
        Group.COMPARISON,
        HALVES,
        _LOOSE + "close",
        {
            "one part in ten thousand": "print(int(input()) / 2 * 1.0001)",
            "rounded": "print(int(int(input()) / 2))",
            "not a number for a float": "print(float('nan'))",
            "many nines": "print(f'{int(input()) / 2 - 1e-5:.9f}')",
        },
    ),
    *attacks(
        Group.COMPARISON,
        HALVES,
        _LOOSE + "numbers",
        {
            "underscores in a float": "print(f'{int(input()) / 2:0_.3f}'.replace('.', '_0.', 1).replace('_0', '', 1) if False else '0_' + str(int(input()) / 2))",
            "full-width digits of a float": "print(''.join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in str(int(input()) / 2)))",
        },
    ),
    *attacks(
        Group.COMPARISON,
        SUM,
        _LOOSE + "contains",
        {
            "every number there is": "print(*range(-20, 200))",
            "the right answer and another": _SUM + "print(a + b, a - b)",
            "the right answer among words": _SUM + "print('The answer is', a + b)",
            "a colour around it": _SUM + "print(f'\\x1b[32m{a + b}\\x1b[0m')",
            "a line that is overwritten": _SUM + "print(f'0\\r{a + b}')",
            "a character of no width": _SUM + "print(f'\\u200b{a + b}')",
            "a NUL before it": _SUM + "print(f'\\0{a + b}')",
            "a mark of byte order": _SUM + "print(f'\\ufeff{a + b}')",
        },
    ),
    *attacks(
        Group.COMPARISON,
        ADD,
        "shown_results",
        {
            "text for a number": "def add(a, b):\n    return str(a + b)",
            "a list around it": "def add(a, b):\n    return [a + b]",
            "an object that shows as it": "class A:\n    def __init__(self, n): self.n = n\n    def __repr__(self): return str(self.n)\ndef add(a, b):\n    return A(a + b)",
            "printed lines": "def add(a, b):\n    return f'{a + b}'",
        },
    ),
    *attacks(
        Group.COMPARISON,
        SORTED,
        "shown_results",
        {"the text of a list": "def ordered(xs):\n    return repr(sorted(xs))"},
    ),
    *attacks(
        Group.COMPARISON,
        SMILE,
        "json_results",
        {
            "halves of a character": "def smile(n):\n    return '\\ud83d\\ude00' * n",
        },
    ),
]
