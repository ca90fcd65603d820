# Results come back as JSON text and are compared as what JSON makes of them.
def answers():
    namespace = {"__name__": "solution"}
    exec(CODE, namespace)
    found = [namespace[ENTRY](*json.loads(given)) for given, _ in TESTS]
    print(json.dumps(found))


try:
    found = json.loads(in_child(answers)[1])
    verdict(len(found) == len(TESTS) and all(a == json.loads(b) for a, (_, b) in zip(found, TESTS)))
except ValueError:
    verdict(False)
