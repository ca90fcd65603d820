"""`crl-data`: the command line. One module a command; none of them is loaded before it is called.

Exit status: 0 done, 1 the work failed, 2 the call or an input file is wrong, 130 interrupted. Results go to standard
output or the named file, everything else to standard error.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(
    name="crl-data",
    help="Critique corpora for reinforcement learning: problems, solutions, and verdicts that are true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Threshold = Annotated[
    float, typer.Option(help="True where more than this share of the tests passes (every test at 1).")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many problems, in input order.")]


@app.command()
def build(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What to build and how; see docs/recipes.md.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to leave the dataset.  [default: build/NAME]")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where findings are kept; builds may share one.  [default: in DIR]"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over the recipe; may be repeated."),
    ] = None,
    limit: Limit = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count, and forecast what judging would cost.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Build a dataset from problems and candidates: the main job. Run it again to go on where it was ended."""
    from crl_data.cli.build import run

    run(recipe, out, store, set_ or [], limit, dry_run, json_)


@app.command()
def judge(
    problems: Annotated[Path, typer.Argument(metavar="PROBLEMS", help="A file of Problem rows.")],
    solutions: Annotated[Path, typer.Argument(metavar="SOLUTIONS", help="A file of Solution rows.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the judgements go, in the order of the solutions.")],
    threshold: Threshold = 0.8,
    timeouts: Annotated[
        str, typer.Option(metavar="auto|fail|inconclusive", help="What a time-out counts as.")
    ] = "auto",
    early_stop: Annotated[bool, typer.Option("--early-stop", help="End once the verdict is settled.")] = False,
    isolation: Annotated[
        str, typer.Option(metavar="batch|per-test", help="Tests in one process, then confirmed; or each in its own.")
    ] = "batch",
    sandbox: Annotated[str, typer.Option(metavar="auto|local|docker|none", help="Behind which walls.")] = "auto",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="How many at once.  [default: one for each processor]")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Judge so many times; what differs ends undecided.")] = 1,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Judge solutions: run each on the tests of its problem, and say whether it is correct."""
    from crl_data.cli.judge import run

    run(problems, solutions, out, threshold, timeouts, early_stop, isolation, sandbox, jobs, repeat, json_)


@app.command(name="import")
def import_(
    format_: Annotated[
        str, typer.Argument(metavar="FORMAT", help="humaneval, evalplus, mbpp, quixbugs, apps or problems.")
    ],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, or a pattern with *.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the Problem rows go.")],
    limit: Limit = None,
    verify: Annotated[bool, typer.Option("--verify", help="Run every reference, and say which problems hold.")] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Turn a known format into Problem rows."""
    from crl_data.cli.import_ import run

    run(format_, source, out, limit, verify, json_)


@app.command()
def validate(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file of problems or solutions, or a built dataset.")],
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Find every fault of a file of rows, or of a built dataset, by row and field."""
    from crl_data.cli.validate import run

    run(path, json_)


@app.command()
def explain(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A built dataset.")],
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id of a record.")],
    sandbox: Annotated[str, typer.Option(metavar="auto|local|docker|none", help="Behind which walls.")] = "auto",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Judge one record again, and show it test by test: input, expected, got, limit."""
    from crl_data.cli.explain import run

    run(directory, id_, sandbox, json_)


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A built dataset.")],
    debug: Debug = False,
) -> None:
    """Make the static page of a built dataset anew: counts, plots, what was left out."""
    from crl_data.report import report as write

    print(write(directory))


def main() -> NoReturn:
    """The entry point: run a command, and turn what goes wrong into one line and an exit status."""
    from crl_data.errors import CrlError, InputError

    signal.signal(signal.SIGTERM, _interrupt)
    debug = "--debug" in sys.argv
    try:
        status = app(standalone_mode=False) or 0
        if status == 130:  # typer turns Ctrl-C into this status, and says nothing
            raise KeyboardInterrupt
        sys.exit(status)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except CrlError as error:
        if debug:
            raise
        _fail(str(error), 2 if isinstance(error, InputError) else 1)
    except Exception as error:
        _other(error, debug)


def _other(error: Exception, debug: bool) -> NoReturn:
    import click

    if isinstance(error, click.exceptions.Abort):
        _fail("interrupted", 130)
    if isinstance(error, click.ClickException):
        usage = getattr(error, "ctx", None)
        _fail(error.format_message() + (f" ({usage.command_path} --help tells more)" if usage else ""), 2)
    if debug:
        raise error
    _fail(f"{type(error).__name__}: {error} (a fault of crl-data itself; --debug shows where)", 1)


def _fail(message: str, status: int) -> NoReturn:
    print(f"crl-data: {message}", file=sys.stderr)
    sys.exit(status)


def _interrupt(number: int, frame: FrameType | None) -> Any:
    raise KeyboardInterrupt
