"""`colloquy models …`: the options; the work stands in `models.py` and is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.configured import configured

models = typer.Typer(no_args_is_help=True, help="List, fetch, check and move models.")
Name = Annotated[str, typer.Argument(help="A model's name, from `models list`.")]
Again = Annotated[bool, typer.Option("--again", help="Replace it if it is here.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@models.command("list")
def list_models() -> None:
    """Print every model that is known or here: its size, its licence, and whether it can be had."""
    from entrypoints.cli.models import show

    show(configured())


@models.command("pull")
def pull_model(name: Name, again: Again = False, quiet: Quiet = False) -> None:
    """Download a model, checked against its published digests; what was interrupted is taken up again."""
    from entrypoints.cli.models import pull

    raise typer.Exit(pull(configured(), name, again=again, quiet=quiet))


@models.command("verify")
def verify_model(name: Annotated[str, typer.Argument(help="Every model that is here, if absent.")] = "") -> None:
    """Compare a model's files, byte by byte, with what was published or stored; fail when they differ."""
    from entrypoints.cli.models import verify

    raise typer.Exit(verify(configured(), name))


@models.command("export")
def export_model(
    name: Name, file: Annotated[Path, typer.Argument(help="The tar file to write.", dir_okay=False)]
) -> None:
    """Write a model into one file, for a machine that reaches no hub."""
    from entrypoints.cli.models import export

    raise typer.Exit(export(configured(), name, file))


@models.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A file that `models export` wrote.", exists=True, dir_okay=False)],
    again: Again = False,
    quiet: Quiet = False,
) -> None:
    """Take in a model from a file; nothing is kept unless all of it is right."""
    from entrypoints.cli.models import take_in

    raise typer.Exit(take_in(configured(), file, again=again, quiet=quiet))


@models.command("convert")
def convert_model(
    name: Annotated[str, typer.Argument(help="A pyannote model that is here: its name or its directory.")],
    into: Annotated[Path | None, typer.Option(help="The directory to make; NAME-onnx in the models folder.")] = None,
) -> None:
    """Turn a pyannote pipeline into ONNX files, which run without torch; needs torch once, for this."""
    from entrypoints.cli.models import convert

    raise typer.Exit(convert(configured(), name, into))
