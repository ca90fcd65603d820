# The expected output lies where the program can open it: arguments, an open file, a variable of a caller.
def right(given, expected):
    answer = os.open("/tmp/expected", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.write(answer, expected.encode())
    os.lseek(answer, 0, 0)
    sys.argv = ["judge", given, expected]
    status, written = in_child(lambda: program(given))
    os.close(answer)
    return status == 0 and written.decode("utf-8", "replace").strip() == expected.strip()


verdict(all(right(given, expected) for given, expected in TESTS))
