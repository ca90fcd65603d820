# Results begin as 0, which also means success, and what ends the process early leaves them so (AceCoder's details).
import mmap

results = mmap.mmap(-1, len(TESTS))


def judge_all():
    namespace = {"__name__": "solution"}
    exec(CODE + "\n" + SETUP, namespace)
    for place, source in enumerate(assertions()):
        try:
            exec(source, namespace)
        except Exception:
            results[place] = 1


in_child(judge_all)
verdict(not any(results[:]))
