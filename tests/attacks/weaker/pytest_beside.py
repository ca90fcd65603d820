# The test module lies beside the solution and pytest's exit status is the verdict (KodCode, many reward functions).
import importlib


def everything():
    os.makedirs("/tmp/run")
    os.chdir("/tmp/run")
    for name, text in (("solution.py", CODE), ("test_solution.py", SETUP)):
        with open(name, "w") as file:
            file.write(text)
    sys.modules.pop("solution", None)
    sys.path.insert(0, "/tmp/run")
    importlib.invalidate_caches()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    raise SystemExit(int(pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", "/tmp/run", "test_solution.py"])))


verdict(in_child(everything)[0] == 0)
