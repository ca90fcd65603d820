"""`crl-data`: the command line. One module a command; none of them is loaded before it is called.

Exit status: 0 done, 1 the work failed, 2 the call or an input file is wrong, 130 interrupted. Results go to standard
output or the named file, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
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

Libraries = Annotated[
    str, typer.Option(metavar="NAME,...", help="What solutions may import beyond the standard library.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Threshold = Annotated[
    float, typer.Option(help="True where more than this share of the tests passes (every test at 1).")
]
AllowWeak = Annotated[
    bool, typer.Option("--allow-weak", help="With local or auto: go on without required walls, and say which.")
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
    allow_weak: AllowWeak = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and forecast what it would cost.")] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Build a dataset from problems and candidates: the main job. Run it again to go on where it was ended."""
    from crl_data.cli.build import run

    settings = [*(set_ or []), *(["judge.allow_weak=true"] if allow_weak else [])]
    run(recipe, out, store, settings, limit, dry_run, json_)


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
    allow_weak: AllowWeak = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="How many at once.  [default: one for each processor]")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Judge so many times; what differs ends undecided.")] = 1,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Judge solutions: run each on the tests of its problem, and say whether it is correct."""
    from crl_data.cli.judge import run

    run(problems, solutions, out, threshold, timeouts, early_stop, isolation, sandbox, allow_weak, jobs, repeat, json_)


@app.command(name="import")
def import_(
    format_: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="problems, humaneval, evalplus, mbpp, bigcodebench, acecode, kodcode, leetcode, apps, taco, rstar, "
            "codecontests, codeforces, deepcoder, livecodebench, open_r1, prime, critique-verl, quixbugs or mapcoder.",
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A file, a folder, a pattern with *, or the id of a data set on the Hub."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Where the Problem rows go; with critique-verl, a folder is for its records."
        ),
    ],
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Which config of the data set.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which split; train where there are several.")
    ] = None,
    revision: Annotated[str | None, typer.Option(metavar="NAME", help="Which commit, branch or tag.")] = None,
    limit: Limit = None,
    verify: Annotated[bool, typer.Option("--verify", help="Run every reference, and say which problems hold.")] = False,
    libraries: Libraries = "numpy",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Turn a known format into Problem rows."""
    from crl_data.cli.import_ import run
    from crl_data.importers.tables import Which

    run(format_, source, Which(config=config, split=split, revision=revision), out, limit, verify, libraries, json_)


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
def relabel(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A built dataset.")],
    threshold: Annotated[
        float, typer.Option(metavar="T", help="True where more than this share passes; at 1, where every test does.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the other dataset goes; by default in its place.")
    ] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Draw other verdicts from the stored outcomes of a built dataset. Nothing is run."""
    from crl_data.cli.relabel import run

    run(directory, threshold, out, json_)


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A built dataset.")],
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Make the static page of a built dataset anew: counts, plots, what was left out."""
    import json

    from crl_data.report import report as write

    page = str(write(directory))
    print(json.dumps({"report": page}) if json_ else page)


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A built dataset.")],
    to: Annotated[str, typer.Option(metavar="verl|cft|cgd|pairs|openai", help="The format.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="A folder, or the file of one split: .parquet, with openai .jsonl; cft, cgd, pairs: both.",
        ),
    ],
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Only this split.  [default: all]")] = None,
    reward: Annotated[
        str | None,
        typer.Option(
            metavar="official|ours",
            help="verl: rows for the official reward alone, or for ours: all.  [default: official]",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="pairs: at least this share of the tests apart.  [default: 0.4]"
        ),
    ] = None,
    per_problem: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="pairs: at most so many a problem.  [default: all]")
    ] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Write a built dataset in another program's format."""
    from crl_data.cli.export import run

    run(directory, to, out, split, {"reward": reward, "margin": margin, "per_problem": per_problem}, json_)


@app.command()
def push(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A built dataset.")],
    repo: Annotated[
        str, typer.Argument(metavar="REPO_ID", help="OWNER/NAME on the Hub; NAME alone is the token's owner's.")
    ],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    allow_license: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Let this licence pass, `unknown` too, beside those the recipe allows; may be repeated.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go, with sizes.")] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Publish a built dataset on the Hugging Face Hub: data, card and manifest in one commit."""
    from crl_data.cli.push import run

    run(directory, repo, private, allow_license or [], dry_run, json_)


@app.command()
def verify(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR|REPO", help="A built dataset, a folder or file of rows, or the id of a data set on the Hub."
        ),
    ],
    sample: Annotated[int, typer.Option(min=1, help="How many rows are drawn; all where there are fewer.")] = 100,
    seed: Annotated[int, typer.Option(help="What they are drawn by.")] = 0,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="records, critique-verl, or labelled solutions: acecode, apps, codecontests, mapcoder, quixbugs, rstar or "
            "taco.  [default: what the first row looks like]",
        ),
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="NAME", help="Which config of the data set.")] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Only this split.  [default: all]")] = None,
    revision: Annotated[str | None, typer.Option(metavar="NAME", help="Which commit, branch or tag.")] = None,
    threshold: Annotated[float, typer.Option(help="Of rows that do not say theirs.")] = 0.8,
    libraries: Annotated[
        str, typer.Option(metavar="NAME,...", help="What solutions of rows that do not say theirs may import.")
    ] = "numpy",
    fail_under: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="SHARE", help="End with status 1 where less than this share agrees."),
    ] = None,
    sandbox: Annotated[str, typer.Option(metavar="auto|local|docker|none", help="Behind which walls.")] = "auto",
    allow_weak: AllowWeak = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="How many at once.  [default: one for each processor]")
    ] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Execute rows of a dataset again, ours or others': how many verdicts agree, and every flip."""
    from crl_data.cli.verify import run
    from crl_data.importers.tables import Which

    which = Which(config=config, split=split, revision=revision)
    run(source, which, sample, seed, format_, threshold, libraries, fail_under, sandbox, allow_weak, jobs, json_)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Which address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Which port; 0: one that is free.")] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="CRL_DATA_TOKEN", help="What every request must bring.  [default: nothing]")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="How many at once.  [default: one for each processor]")
    ] = None,
    sandbox: Annotated[str, typer.Option(metavar="auto|local|docker|none", help="Behind which walls.")] = "auto",
    allow_weak: AllowWeak = False,
    queue: Annotated[
        int | None, typer.Option(min=1, help="How many requests are admitted at once.  [default: 64 for each job]")
    ] = None,
    libraries: Libraries = "numpy",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Judge over HTTP until interrupted: /judge, /run_code (SandboxFusion's protocol) and /health."""
    from crl_data.cli.serve import run

    run(host, port, token, jobs, sandbox, allow_weak, queue, libraries, json_)


@app.command()
def doctor(
    build_image: Annotated[
        bool, typer.Option("--build-image", help="First build the image that the docker backend judges in.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Try every wall and limit on this machine, and say what stands; also which samplers and accelerators there are."""
    from crl_data.cli.doctor import run

    raise typer.Exit(run(build_image, json_))


def main() -> NoReturn:
    """The entry point."""
    run_app(app, "crl-data")


def run_app(app: typer.Typer, program: str, arguments: list[str] | None = None) -> NoReturn:
    """Run a command of an app, and turn what goes wrong into one line and an exit status. arguments: by default the shell's."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = app(args=arguments, standalone_mode=False) or 0
        if status == 130:  # typer turns Ctrl-C into this status, and says nothing
            raise KeyboardInterrupt
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError):  # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        if "--debug" in sys.argv:
            traceback.print_exc()
        message, status = _told(error, program)
        if message:
            print(f"{program}: {message}", file=sys.stderr)
        with contextlib.suppress(Exception):
            sys.stdout.close()  # what is left in it cannot be written; Python would say so again
    sys.exit(status)


def _told(error: BaseException, program: str) -> tuple[str, int]:
    """What went wrong as one line, and the exit status."""
    from crl_data.errors import CrlError, InputError

    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted", 130
    if isinstance(error, CrlError):
        return str(error), 2 if isinstance(error, InputError) else 1
    if isinstance(error, _USAGE):
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            return "", 2
        return error.format_message() + _given(error) + (
            f" ({context.command_path} --help tells more)" if context else ""
        ), 2
    if isinstance(error, OSError):
        return f"{error.filename or 'standard output'}: {error.strerror or error}", 1
    return f"{type(error).__name__}: {error} (a fault of {program} itself; --debug shows where)", 1


def _given(error: Any) -> str:
    """What was given where typer only says what was expected."""
    names = getattr(getattr(error, "param", None), "opts", ())
    for place, word in enumerate(sys.argv[:-1]):
        if word in names:
            return f", got {sys.argv[place + 1]!r}"
    return ""


# The base of what typer says of a wrong call: click's own class, or that of the copy which typer brings.
_USAGE: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _interrupt(number: int, frame: FrameType | None) -> Any:
    raise KeyboardInterrupt
