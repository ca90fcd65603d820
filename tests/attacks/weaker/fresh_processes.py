# A plain process for every test, compared outside, and no walls: folders, memory and environment are shared. By `rule`
# it compares loosely: sets (APPS), zip_lines (open-r1), any_case (SandboxFusion), decimals (LiveCodeBench), close
# (np.allclose), contains, any_order, numbers (float of every token), normalized (Unicode, case and invisible marks).
import decimal
import math
import unicodedata

os.environ["TESTS"] = json.dumps(TESTS)
os.chdir("/tmp")
with open("/tmp/tests.json", "w") as file:
    json.dump(TESTS, file)


def as_decimal(token):
    try:
        return decimal.Decimal(token)
    except decimal.InvalidOperation:
        return token


def plain(text):
    return unicodedata.normalize("NFKC", text).casefold().replace("\u200d", "")


def same(got, wanted):
    got, wanted = got.strip(), wanted.strip()
    if got == wanted:
        return True
    a, b = got.split(), wanted.split()
    if RULE == "sets":
        return set(a) == set(b)
    if RULE == "zip_lines":
        return all(x.strip() == y.strip() for x, y in zip(got.split("\n"), wanted.split("\n")) if x)
    if RULE == "any_case":
        return got.lower() == wanted.lower()
    if RULE == "decimals":
        return len(a) == len(b) and all(as_decimal(x) == as_decimal(y) for x, y in zip(a, b))
    if RULE == "contains":
        return wanted in got
    if RULE == "any_order":
        return sorted(a) == sorted(b)
    if RULE == "normalized":
        return plain(got) == plain(wanted)
    try:
        pairs = list(zip(map(float, a), map(float, b), strict=True))
    except ValueError:
        return False
    if RULE == "close":
        return all(math.isclose(x, y, rel_tol=1e-3, abs_tol=0.5) or x != x for x, y in pairs)
    return RULE == "numbers" and all(x == y for x, y in pairs)


def right(given, expected):
    status, written = in_child(lambda: program(given))
    return status == 0 and same(written.decode("utf-8", "ignore"), expected)


if __name__ == "__main__":
    verdict(all(right(given, expected) for given, expected in TESTS))
