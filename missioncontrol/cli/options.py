"""Options and error handling that the commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from missioncontrol.local.errors import LocalError
from missioncontrol.local.paths import default_environment

F = TypeVar("F", bound=Callable[..., Any])


def directory_option(function: F) -> F:
    return click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_environment,
        callback=_absolute,
        help="The environment's folder.  [default: $XDG_STATE_HOME/missioncontrol/local]",
    )(function)


def _absolute(_: click.Context, __: click.Parameter, value: Path) -> Path:
    # Not resolve(): a path that the user reads again in messages stays as they wrote it.
    return Path(value).expanduser().absolute()


def output_option(function: F) -> F:
    return click.option("-o", "--output", type=click.Choice(["json"]), help="Print the result for programs.")(
        function
    )


def friendly(function: F) -> F:
    """What can go wrong is told in one sentence, with exit code 1."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except LocalError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            raise  # click ends quietly: the reader has seen enough
        except OSError as error:
            raise click.ClickException(
                f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
            ) from error

    return wrapper  # type: ignore[return-value]
