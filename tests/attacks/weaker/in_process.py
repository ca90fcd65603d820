# Solution, comparer and expectations in one process, results in shared memory (LiveCodeBench, EvalPlus, verl).
import contextlib
import io
import mmap

results = mmap.mmap(-1, len(TESTS))


def judge_all():
    namespace = {"__name__": "__main__" if KIND == "stdin" else "solution"}
    try:
        if KIND != "stdin":
            exec(CODE, namespace)
            exec(SETUP, namespace)
    except BaseException:
        return
    for place, (given, expected) in enumerate(TESTS):
        results[place] = 2
        try:
            if KIND == "stdin":
                sys.stdin = io.StringIO(given)
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    try:
                        exec(CODE, {"__name__": "__main__"})
                    except SystemExit:
                        pass
                right = printed.getvalue().strip() == expected.strip()
            elif KIND == "function":
                value = namespace[ENTRY](*json.loads(given))
                right = bool(value == json.loads(expected))
            else:
                exec(given, namespace)
                right = True
            if right:
                results[place] = 1
        except BaseException:
            pass


in_child(judge_all)
verdict(results[:] == b"\1" * len(TESTS))
