"""The command line before any work: what it offers, how light it is, and calls that are wrong."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from crl_data.importers import PROBLEM_FORMATS
from tests.conftest import Command

HEAVY = [
    "torch",
    "trl",
    "vllm",
    "transformers",
    "datasets",
    "openai",
    "docker",
    "ray",
    "matplotlib",
    "polars",
    "pyarrow",
    "numpy",
    "huggingface_hub",
    "evaluate",
]
HEAVY_FOR_REWARDS = ["torch", "trl", "vllm", "transformers", "datasets", "openai", "docker", "ray", "matplotlib"]

# Contract 2 of the design: what each command that is built offers.
OPTIONS = {
    "build": "--out --store --set --limit --dry-run",
    "judge": "--out --threshold --timeouts --early-stop --isolation --sandbox --jobs --repeat",
    "import": "--out --config --split --revision --limit --verify --libraries",
    "validate": "",
    "explain": "",
    "relabel": "--threshold --out",
    "report": "",
    "export": "--to --out --split --reward --margin --per-problem",
    "push": "--private --dry-run --allow-license",
    "verify": "--sample --seed --format --config --split --revision --threshold --libraries --fail-under --sandbox "
    "--allow-weak --jobs",
    "serve": "--host --port --token --jobs --sandbox --allow-weak --queue --libraries",
    "doctor": "",
}
ARGUMENTS = {
    "build": ["RECIPE.yaml"],
    "judge": ["PROBLEMS", "SOLUTIONS"],
    "import": ["FORMAT", "SOURCE"],
    "validate": ["PATH"],
    "explain": ["DIR", "ID"],
    "relabel": ["DIR"],
    "report": ["DIR"],
    "export": ["DIR"],
    "push": ["DIR", "REPO_ID"],
    "verify": ["DIR|REPO"],
    "serve": [],
    "doctor": [],
}
NOT_BUILT = ["quality"]


def loaded_by(statement: str, heavy: list[str]) -> list[str]:
    """Which of some libraries a fresh Python holds after a statement."""
    program = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write('loaded: ' + ' '.join(sorted(set({heavy!r}) & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("loaded: ")[2].split()


@pytest.mark.parametrize("args", [["--help"], *([command, "--help"] for command in OPTIONS)], ids=" ".join)
def test_help_loads_no_heavy_library(args: list[str]) -> None:
    statement = f"sys.argv = {['crl-data', *args]!r}; import crl_data.cli; crl_data.cli.main()"
    assert loaded_by(statement, HEAVY) == []


def test_rewards_load_no_heavy_library() -> None:
    assert loaded_by("import crl_data.rewards", HEAVY_FOR_REWARDS) == []


def test_the_package_itself_loads_no_heavy_library() -> None:
    assert loaded_by("import crl_data; from crl_data import Problem, Solution, Test", HEAVY) == []


def test_help_needs_less_than_half_a_second_of_processor_time() -> None:
    """CPU time, since a busy machine is not our fault; the best of three, since the first one reads from the disk."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "crl_data", "--help"], capture_output=True, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_help_names_every_command_that_is_built_and_none_that_is_not(crl_data: Command) -> None:
    done = crl_data("--help")
    assert done.returncode == 0 and done.stderr == ""
    listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == list(OPTIONS) and not set(NOT_BUILT) & set(listed)


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_offers_what_the_contract_says(crl_data: Command, command: str) -> None:
    done = crl_data(command, "--help", env={"COLUMNS": "200", "PATH": ""})
    assert done.returncode == 0 and done.stderr == ""
    words = done.stdout.split()
    wanted = [*OPTIONS[command].split(), "--json", "--debug", "--help"]
    assert [option for option in wanted if option not in words] == []
    assert [name for name in ARGUMENTS[command] if name not in done.stdout] == []


def test_the_values_of_closed_choices_stand_in_the_help(crl_data: Command) -> None:
    text = crl_data("judge", "--help").stdout
    for choice in ("auto|fail|inconclusive", "batch|per-test", "auto|local|docker|none"):
        assert choice in text


def test_help_of_import_names_every_format(crl_data: Command) -> None:
    text = crl_data("import", "--help").stdout
    for name in PROBLEM_FORMATS:
        assert name in text


def test_the_installed_program_is_the_module() -> None:
    program = Path(sys.executable).with_name("crl-data")
    if not program.exists():
        pytest.skip("crl-data is not installed beside this Python")
    told = [
        subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
        for command in ([str(program)], [sys.executable, "-m", "crl_data"])
    ]
    assert told[0].startswith("Usage: crl-data ") and told[0].split()[2:] == told[1].split()[4:]


# --- calls that are wrong -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("--bogus", "--bogus"),
        ("bogus", "bogus"),
        ("relabel built", "relabel"),
        ("build --bogus", "--bogus"),
        ("judge --bogus", "--bogus"),
        ("build", "RECIPE"),
        ("judge problems.jsonl", "SOLUTIONS"),
        ("judge problems.jsonl solutions.jsonl", "--out"),
        ("import humaneval", "SOURCE"),
        ("import humaneval source.jsonl", "--out"),
        ("validate", "PATH"),
        ("validate one two", "two"),
        ("explain built", "ID"),
        ("report", "DIR"),
        ("export", "DIR"),
        ("judge problems.jsonl solutions.jsonl --out", "--out"),
        ("build recipe.yaml --dry-run=yes", "--dry-run"),
    ],
)
def test_a_wrong_call_is_one_line_that_names_what_is_wrong(crl_data: Command, call: str, told: str) -> None:
    done = crl_data(*call.split())
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == "" and done.stderr.count("\n") == 1 and done.stderr.startswith("crl-data: ")
    assert told.lower() in done.stderr.lower() and "Traceback" not in done.stderr
    assert "a fault of crl-data itself" not in done.stderr


def test_without_anything_it_says_what_there_is(crl_data: Command) -> None:
    done = crl_data()
    assert "Commands:" in done.stdout + done.stderr and "a fault of crl-data itself" not in done.stderr
