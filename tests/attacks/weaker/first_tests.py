# Only some of the tests are run, and they are always the same (rllm: at most fifteen).
def right(given, expected):
    status, written = in_child(lambda: program(given))
    return status == 0 and written.decode("utf-8", "replace").strip() == expected.strip()


verdict(all(right(given, expected) for given, expected in TESTS[:2]))
