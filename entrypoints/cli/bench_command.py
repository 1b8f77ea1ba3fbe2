"""`colloquy bench`: the options; the work stands in `bench.py` and is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer


def bench(
    files: Annotated[list[Path], typer.Argument(help="Recordings.", exists=True, dir_okay=False)],
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            "-r",
            exists=True,
            help="STM, RTTM, SRT, VTT, TXT or our JSON, or a folder of them; those beside a recording are found.",
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            "--engine",
            "-e",
            help="A configuration, `asr=NAME,diarization=NAME,model=NAME,SETTING=VALUE`; may be repeated.",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="File for the figures as JSON.")] = None,
    lang: Annotated[str, typer.Option(help="Language code, or auto.")] = "auto",
    num_speakers: Annotated[int | None, typer.Option(help="Exact number of speakers.")] = None,
    collar: Annotated[float, typer.Option(min=0, help="Seconds to each side of a turn's edge that DER forgives.")] = 0,
    skip_overlap: Annotated[bool, typer.Option(help="Leave overlapping speech out of DER.")] = False,
    warm_up: Annotated[bool, typer.Option(help="Transcribe the smallest file once before measuring.")] = True,
) -> None:
    """Measure error rates, speed and memory of configurations on recordings of your own."""
    from application.ports.scoring import Forgiveness
    from domain.errors import InvalidOptions
    from domain.options import TranscriptionOptions
    from domain.span import to_ms
    from entrypoints.cli.bench import Wanted, measure

    try:
        options = TranscriptionOptions(language=lang, num_speakers=num_speakers)
    except InvalidOptions as error:
        raise typer.BadParameter(error.detail) from error
    wanted = Wanted(
        files=files, references=reference or [], engines=engine or [], options=options, warm_up=warm_up,
        forgiveness=Forgiveness(collar=to_ms(collar), skip_overlap=skip_overlap),
    )  # fmt: skip
    raise typer.Exit(measure(wanted, json))
