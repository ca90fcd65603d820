# `str` of a result is compared with `str` of the expectation, one of them perhaps in a list (verl's wrappers, APPS).
def answers():
    namespace = {"__name__": "solution"}
    exec(CODE, namespace)
    for given, _ in TESTS:
        print(namespace[ENTRY](*json.loads(given)))


shown = in_child(answers)[1].decode("utf-8", "replace").split("\n")[:-1]
wanted = [str(json.loads(expected)) for _, expected in TESTS]
verdict(len(shown) == len(wanted) and all(a in (b, f"[{b}]") for a, b in zip(shown, wanted)))
