"""The `colloquy` command: a thin door; each command's work stands in its own file and is imported when it is called."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import NotConfigured
from entrypoints.cli.audit_command import audit
from entrypoints.cli.bench_command import bench
from entrypoints.cli.configured import Exit
from entrypoints.cli.configured import configured as _settings
from entrypoints.cli.encryption_commands import encryption
from entrypoints.cli.key_commands import keys, users
from entrypoints.cli.model_commands import models
from entrypoints.cli.quotas import quotas
from infrastructure.load_settings import effective, keep_quiet, markdown_table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # it would print local variables, keys among them
    help="Who said what, and when.",
    rich_markup_mode=None,
)
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
app.add_typer(models, name="models")
app.add_typer(quotas, name="quotas")
app.add_typer(encryption, name="encryption")


class Format(StrEnum):
    """What a transcript can be written as."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"
    TSV = "tsv"
    RTTM = "rttm"


class Task(StrEnum):
    """What is written: the language that is spoken, or English."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Channels(StrEnum):
    """How the channels of a recording are treated."""

    AUTO = "auto"
    MIX = "mix"
    SPLIT = "split"


@app.command()
def transcribe(
    file: Annotated[
        Path, typer.Argument(help="The recording: audio, or a video with audio.", exists=True, dir_okay=False)
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if absent.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.TEXT,
    lang: Annotated[str, typer.Option(help="Language code, or auto.")] = "auto",
    language: Annotated[list[str] | None, typer.Option(help="One that may be spoken; repeat for each.")] = None,
    task: Annotated[Task, typer.Option(help="Write what is spoken, or write English.")] = Task.TRANSCRIBE,
    temperature: Annotated[float | None, typer.Option(min=0, max=1, help="One sampling temperature for all.")] = None,
    model: Annotated[str, typer.Option(help="Model of the engine; its default if absent.")] = "",
    diarization: Annotated[bool, typer.Option(help="Tell speakers apart.")] = True,
    num_speakers: Annotated[int | None, typer.Option(help="Exact number of speakers.")] = None,
    min_speakers: Annotated[int | None, typer.Option()] = None,
    max_speakers: Annotated[int | None, typer.Option()] = None,
    channels: Annotated[Channels, typer.Option(help="Mix them, or take each as a party.")] = Channels.AUTO,
    initial_prompt: Annotated[str, typer.Option(help="Text that comes before the recording, as a hint.")] = "",
    hotword: Annotated[list[str] | None, typer.Option(help="A word to expect; may be repeated.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Transcribe one recording here and now, without a server."""
    from domain.errors import InvalidOptions
    from domain.media import ChannelMode
    from domain.options import Goal, TranscriptionOptions
    from entrypoints.cli.transcribe import transcribe_file

    try:
        options = TranscriptionOptions(
            language=lang, model=model, diarization=diarization, num_speakers=num_speakers, min_speakers=min_speakers,
            max_speakers=max_speakers, channels=ChannelMode(channels.value), initial_prompt=initial_prompt,
            hotwords=tuple(hotword or ()), format=format.value, languages=tuple(language or ()),
            goal=Goal(task.value), temperature=temperature,
        )  # fmt: skip
    except InvalidOptions as error:
        raise typer.BadParameter(error.detail) from error
    raise typer.Exit(transcribe_file(_settings(), file, options, output, quiet=quiet))


@app.command()
def serve(
    issue_key: Annotated[
        bool, typer.Option("--issue-key", help="Print a fresh API key and a curl line to try.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Check the configuration, print it, and end.")] = False,
) -> None:
    """Run the whole service in this process; with QUEUE_URL, the API alone."""
    if check:
        return config()
    settings = _settings()  # what is wrong with them is said before anything else is looked for
    from entrypoints.cli.serve import serve_embedded

    raise typer.Exit(serve_embedded(settings, issue_key=issue_key))


@app.command()
def worker() -> None:
    """Do the work of a service whose API runs elsewhere."""
    settings = _settings()
    from entrypoints.cli.worker import run_worker

    raise typer.Exit(run_worker(settings))


@app.command()
def sweeper() -> None:
    """Sweep and do the chores of a service whose API and workers run elsewhere."""
    settings = _settings()
    from entrypoints.cli.sweeper import run_sweeper

    raise typer.Exit(run_sweeper(settings))


@app.command()
def migrate(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a database that does not answer.")] = 60,
) -> None:
    """Bring the database up to date, and end."""
    from entrypoints.cli.migrate import run_migrations

    raise typer.Exit(run_migrations(_settings(), wait_seconds=wait))


app.command()(bench)
app.command()(audit)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write, or the folder to write one into.")],
) -> None:
    """Write everything into one tar file, while the service runs."""
    from entrypoints.cli.backup import backup

    raise typer.Exit(backup(_settings(), target))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.", exists=True, dir_okay=False)],
) -> None:
    """Put a backup onto an empty installation, over any database and blob store."""
    from entrypoints.cli.backup import restore

    raise typer.Exit(restore(_settings(), file))


@app.command()
def reconcile(
    remove: Annotated[bool, typer.Option("--remove", help="Remove blobs that no row accounts for.")] = False,
) -> None:
    """Count blobs without a row and rows without their blob; a service does it every six hours."""
    from entrypoints.cli.backup import reconcile

    raise typer.Exit(reconcile(_settings(), remove=remove))


@app.command()
def health(
    ready: Annotated[
        bool, typer.Option("--ready", help="Whether they can do their work, not only whether they live.")
    ] = False,
) -> None:
    """Say how the processes on this machine are; non-zero when one is unwell, or none runs."""
    from entrypoints.cli.health import report

    raise typer.Exit(report(_settings(), ready=ready))


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Say what is installed, how the servers, folders and processes are, and how to mend what is not well."""
    from entrypoints.cli.doctor import examine

    raise typer.Exit(examine(_settings(), as_json=as_json))


@app.command()
def config(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of the README.")] = False,
) -> None:
    """Check the configuration and print it as it is in force, secrets masked."""
    if markdown:
        typer.echo(markdown_table())
        return
    for name, value in effective(_settings()):
        typer.echo(f"{name}={value}")


def main() -> None:
    """Run the command; an installation that lacks a setting ends it with what that is."""
    keep_quiet()
    try:
        sys.exit(app())
    except NotConfigured as error:
        print(f"colloquy: {error.detail}", file=sys.stderr)
        sys.exit(Exit.BAD_SETTINGS)
