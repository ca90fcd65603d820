# Results come back as pickles and are compared with `==` where they arrive.
import pickle

receive, send = os.pipe()


def answers():
    namespace = {"__name__": "solution"}
    exec(CODE, namespace)
    found = [namespace[ENTRY](*json.loads(given)) for given, _ in TESTS]
    os.write(send, pickle.dumps(found))


in_child(answers)
os.close(send)
data = os.read(receive, 1 << 16)
found = pickle.loads(data) if data else []
verdict(len(found) == len(TESTS) and all(a == json.loads(b) for a, (_, b) in zip(found, TESTS)))
