"""What every command begins with and ends in: the settings in force, and the exit status."""

import typer

from infrastructure.load_settings import BadSettings, load_settings
from infrastructure.settings import Settings


class Exit:
    """What the command's exit status means; 2 is a wrong call, as everywhere."""

    FAILED = 1
    BAD_SETTINGS = 78
    UNREACHABLE = 75
    MEDIA_REJECTED = 3
    ENGINE_MISSING = 4
    INTERRUPTED = 130


def configured() -> Settings:
    """Return the settings of this process, or end it with everything that is wrong with them."""
    try:
        return load_settings()
    except BadSettings as error:
        for problem in error.problems:
            typer.echo(f"colloquy: {problem}", err=True)
        raise typer.Exit(Exit.BAD_SETTINGS) from error
