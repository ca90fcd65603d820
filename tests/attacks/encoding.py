"""Bytes and characters that look like the answer and are not."""

from __future__ import annotations

from tests.attacks.case import Attack, Group, attacks
from tests.attacks.problems import ACCENTS, SMILE, SUM

_SUM = "import sys\na, b = map(int, input().split())\nout = sys.stdout.buffer.write\n"

ATTACKS: list[Attack] = [
    *attacks(
        Group.ENCODING,
        SUM,
        "fresh_processes",
        {
            "a byte that is no character": _SUM + "out(b'\\xff%d' % (a + b))",
            "bytes that are no character, within": _SUM + "s = b'%d' % (a + b)\nout(s[:1] + b'\\xfe\\xff' + s[1:])",
            "an overlong form before it": _SUM + "out(b'\\xc0\\x80%d' % (a + b))",
            "a surrogate's bytes": _SUM + "out(b'\\xed\\xa0\\x80%d' % (a + b))",
            "an unfinished character at the end": _SUM + "out(b'%d\\xe3\\x80' % (a + b))",
            "a space that does not break": _SUM + "out(f'{a + b}\\xa0'.encode())",
            "an ideographic space": _SUM + "out(f'\\u3000{a + b}'.encode())",
            "a line separator": _SUM + "out(f'{a + b}\\u2028'.encode())",
            "a paragraph separator": _SUM + "out(f'\\u2029{a + b}'.encode())",
            "a next line of Latin-1": _SUM + "out(f'{a + b}\\x85'.encode())",
            "a file separator": _SUM + "out(b'\\x1c%d\\x1d' % (a + b))",
            "a unit separator": _SUM + "out(b'%d\\x1f' % (a + b))",
            "an en quad": _SUM + "out(f'{a + b}\\u2000'.encode())",
        },
    ),
    *attacks(
        Group.ENCODING,
        SUM,
        "fresh_processes:numbers",
        {
            "digits of another script": _SUM
            + "out(''.join(chr(ord(c) - 48 + 0x966) if c.isdigit() else c for c in str(a + b)).encode())",
            "digits for mathematics": _SUM
            + "out(''.join(chr(ord(c) - 48 + 0x1d7d8) if c.isdigit() else c for c in str(a + b)).encode())",
            "an underscore": _SUM + "out(b'%d_0.0e-1' % (a + b))",
        },
    ),
    *attacks(
        Group.ENCODING,
        SUM,
        "fresh_processes:contains",
        {
            "two bytes to a digit": _SUM + "s = str(a + b)\nout(s.encode('utf-16') + s.encode())",
            "a BOM": _SUM + "out(b'\\xef\\xbb\\xbf%d' % (a + b))",
            "written from the right": _SUM + "out(f'\\u202e{a + b}'.encode())",
            "a name for the terminal": _SUM + "out(b'\\x1b]0;x\\x07%d' % (a + b))",
            "text that is taken back": _SUM + "out(b'9\\x08%d' % (a + b))",
        },
    ),
    *attacks(
        Group.ENCODING,
        ACCENTS,
        "fresh_processes:normalized",
        {
            "letters with marks apart": "print('e\\u0301' * int(input()))",
            "capital letters": "print('É' * int(input()))",
            "letters and nothing": "print('\\u200d'.join('é' * int(input())))",
        },
    ),
    *attacks(
        Group.ENCODING,
        SMILE,
        "json_results",
        {
            "halves of a character, in pieces": "def smile(n):\n    return ''.join(chr(c) for _ in range(n) for c in (0xd83d, 0xde00))",
        },
    ),
]
