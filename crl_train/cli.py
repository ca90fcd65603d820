"""`crl-train`: the command line. What a command needs is loaded when it is called.

Exit status: 0 done, 1 the work failed, 2 the call or a file is wrong, 130 interrupted (after a checkpoint).
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from crl_data.cli import Debug, Json, run_app

if TYPE_CHECKING:
    from crl_train.run import Done

app = typer.Typer(
    name="crl-train",
    help="Train critique coders: TRL's GRPOTrainer on the datasets of crl-data, and what comes of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = ("report", "doctor", "push", "train")


def main() -> NoReturn:
    """The entry point: `crl-train RECIPE.yaml` is `crl-train train RECIPE.yaml`."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] not in (*_COMMANDS, "-h", "--help"):
        arguments = ["train", *arguments]
    run_app(app, "crl-train", arguments)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What to train and how; see docs/training.md.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over the recipe; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would train on, and what it would cost.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last whole checkpoint; from the start where there is none.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Train: `crl-train RECIPE.yaml`, the word train may be left out. TRL's options may follow (--learning_rate 1e-5)."""
    _need("trl", "train")
    warnings.filterwarnings("ignore", category=FutureWarning)  # what a later version of a library will rename
    from crl_train.recipe_file import load_job

    job = load_job(recipe, set_ or [], context.args, on_processor=dry_run)
    if dry_run:
        from crl_train.forecast import forecast, text_of

        found = forecast(job)
        print(json.dumps(found, default=str) if json_ else text_of(found))
        return
    from crl_train.train import train

    done = train(job, resume)
    if done.interrupted:
        print(f"{done.run}: ended after update {done.update}, and goes on with --resume", file=sys.stderr)
        raise KeyboardInterrupt
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes, one says what came of it
        print(json.dumps(asdict(done), default=str) if json_ else _text(done))


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that crl-train left.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the report goes.")] = Path("build/report"),
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Put runs side by side: curves, held-out results, arms with intervals over seeds; one page, and plain files."""
    from crl_train.report import run

    run(runs, out, json_)


@app.command()
def doctor(json_: Json = False, debug: Debug = False) -> None:
    """Check what training needs: GPUs, versions, one generation, one judged reward, one optimiser step."""
    from crl_train.doctor import run

    raise typer.Exit(run(json_))


@app.command()
def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that is over.")],
    repo: Annotated[str, typer.Argument(metavar="REPO_ID", help="owner/name on the Hub; or a name of your own.")],
    private: Annotated[bool, typer.Option("--private", help="A repository that only its owners see.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Push the chosen model of a run to the Hub, with its card."""
    from crl_data.cli.push import pushed, tell
    from crl_data.publishing.push import whole_name
    from crl_train.publish import contents
    from crl_train.run import MODEL, described

    told = described(run)
    repo = whole_name(repo, dry_run)
    tell(pushed("crl-train", contents(run / MODEL, repo, told), repo, private, dry_run), dry_run, json_)


def _need(module: str, extra: str) -> None:
    """Raises `InputError` where a library is missing, with what installs it."""
    import importlib.util

    from crl_data.errors import InputError

    if importlib.util.find_spec(module) is None:
        raise InputError(f"{module} is not installed: pip install 'crl-data[{extra}]'")


def _text(done: Done) -> str:
    lines = [f"{done.run / 'model'}: the model of update {done.update}"]
    for one in done.results:
        before = "" if one.before is None else f", {one.before:.3f} before"
        lines.append(f"{one.name:<28} {one.value:.3f}  [{one.low:.3f}, {one.high:.3f}] over {one.n} rows{before}")
    return "\n".join(lines)
