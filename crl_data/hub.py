"""The Hugging Face Hub: what an id looks like, and what its clients raise, as one line that says what to do."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

from crl_data.errors import CrlError, InputError, WorkError

REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_AGAIN = "run it again"
_WAITING = re.compile(r"(Rate limited\. Waiting|Retrying in) ([\d.]+)s.*\[Retry (\d+)/(\d+)\]")


@contextlib.contextmanager
def asking(name: str, again: str = _AGAIN) -> Iterator[None]:
    """Around whatever asks the Hub: its clients' errors become an `InputError` where the call, the token or a right is at
    fault, else a `WorkError`.

    name: what was asked about, as the line begins. again: what to do where the Hub failed.
    """
    try:
        yield
    except CrlError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None and _response_of(error) is None:
            raise  # a file of this machine
        _tell(name, error, again)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """`huggingface_hub` says no more than that it waits, and shows bars only on a terminal.

    Its own warnings spread over lines and hold addresses that are signed.
    """
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    log = logging.getLogger("huggingface_hub")
    level, were_off = log.level, are_progress_bars_disabled()
    handler = _Waiting()
    handlers, log.handlers, propagate = log.handlers, [handler], log.propagate
    log.propagate = False
    log.setLevel(logging.WARNING)
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            yield
    finally:
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)
        if not were_off:
            enable_progress_bars()


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"the Hub's client warns: {' '.join(str(message).split())}", file=sys.stderr)


class _Waiting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        found = _WAITING.search(record.getMessage())
        if found:
            why = "asks to wait" if found[1].startswith("Rate") else "did not answer as it should"
            print(f"the Hub {why}; again in {float(found[2]):g} s ({found[3]} of {found[4]})", file=sys.stderr)


def _tell(name: str, error: Exception, again: str) -> NoReturn:
    from huggingface_hub.errors import GatedRepoError, LocalTokenNotFoundError, RepositoryNotFoundError

    response = _response_of(error)
    status = getattr(response, "status_code", None)
    said = _said(error, response)
    if isinstance(error, LocalTokenNotFoundError):
        raise InputError(f"{name}: {NO_TOKEN}") from None
    if status == 401 and "credentials" in said:
        raise InputError(
            f"{name}: the Hub does not know the token; make one at https://huggingface.co/settings/tokens, and log in "
            "with `hf auth login` or set HF_TOKEN"
        ) from None
    if isinstance(error, GatedRepoError | RepositoryNotFoundError) or status in (401, 404):
        raise InputError(
            f"{name}: {said} (one that is private or gated needs a token that may read it: HF_TOKEN)"
        ) from None
    if status == 403:
        raise InputError(f"{name}: the token may not do this: {said}") from None
    if status == 402:
        raise InputError(f"{name}: the Hub wants to be paid for this: {said}") from None
    if status == 412:
        raise WorkError(f"{name}: somebody else changed it at the same time; {_AGAIN}") from None
    if status == 429:
        raise WorkError(f"{name}: the Hub asks for fewer requests{_wait(response)}; then {again}") from None
    if status is not None and 400 <= status < 500:
        raise InputError(f"{name}: the Hub refuses this ({status}): {said}") from None
    if status is not None:
        raise WorkError(f"{name}: the Hub failed ({status}: {said}); {again}") from None
    if isinstance(error, RuntimeError) and "script" in said:  # `datasets` runs none any more
        raise InputError(f"{name}: {said} (name local files of it, or a copy that holds Parquet)") from None
    if _is_refusal(error):
        raise InputError(f"{name}: {said}") from None
    raise WorkError(f"{name}: the Hub does not answer ({type(_cause(error)).__name__}: {said}); {again}") from None


NO_TOKEN = (
    "no token: log in with `hf auth login`, or set HF_TOKEN to one that may write "
    "(https://huggingface.co/settings/tokens)"
)


def _is_refusal(error: Exception) -> bool:
    """Whether a client says that what was asked for is not there or cannot be: an unknown config, a card that is wrong."""
    from datasets.exceptions import DatasetsError

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionError | TimeoutError) or type(seen).__module__.startswith("httpx"):
            return False
        seen = seen.__cause__ or seen.__context__
    return isinstance(error, ValueError | DatasetsError)


def _cause(error: BaseException) -> BaseException:
    """What lies at the bottom of an error that a client raised about another one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _response_of(error: BaseException) -> Any:
    """The answer of the Hub that an error is about, however deep; None: there was none."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if response is not None:
            return response
        seen = seen.__cause__ or seen.__context__
    return None


def _said(error: BaseException, response: Any) -> str:
    """What the Hub said, or else its client, as one line."""
    told = ""
    if response is not None:
        told = response.headers.get("X-Error-Message") or ""
        with contextlib.suppress(Exception):
            told = told or response.json()["error"]
    text = told or str(_cause(error) if response is None and not str(error) else error)
    line = " ".join(text.split())
    return (line if len(line) <= 300 else line[:297] + "...") or type(error).__name__


def _wait(response: Any) -> str:
    """How long the Hub wants to be left alone, where it says so."""
    told = response.headers.get("Retry-After") or ""
    return f" for {told} s" if told.isdigit() else ""
