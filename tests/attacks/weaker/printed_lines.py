# Which tests passed is read from lines that the tests' process prints (log parsers, as SWE-bench's).
def everything():
    namespace = {"__name__": "solution"}
    exec(CODE + "\n" + SETUP, namespace)
    for place, source in enumerate(assertions()):
        try:
            exec(source, namespace)
            print("PASSED", place)
        except BaseException:
            print("FAILED", place)


lines = in_child(everything)[1].decode("utf-8", "replace").splitlines()
verdict(all(f"PASSED {place}" in lines for place in range(len(TESTS))))
