# The tests' process says "1" or "0" for each test on a descriptor that the solution inherits.
receive, send = os.pipe()


def everything():
    namespace = {"__name__": "solution"}
    exec(CODE + "\n" + SETUP, namespace)
    for source in assertions():
        try:
            exec(source, namespace)
            os.write(send, b"1")
        except BaseException:
            os.write(send, b"0")


in_child(everything)
os.write(send, b"0" * len(TESTS))
verdict(os.read(receive, len(TESTS)) == b"1" * len(TESTS))
