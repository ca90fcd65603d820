# Time is limited by RLIMIT_CPU, which every process has to itself, and which neither waiting nor an ended child counts in.
import resource


def limited(given):
    resource.setrlimit(resource.RLIMIT_CPU, (1, 3))
    program(given)


def right(given, expected):
    status, written = in_child(lambda: limited(given))
    return status == 0 and written.decode("utf-8", "replace").strip() == expected.strip()


verdict(all(right(given, expected) for given, expected in TESTS))
