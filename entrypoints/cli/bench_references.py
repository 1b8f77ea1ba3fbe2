"""Which files hold the truth about a recording; reading them is the application's job."""

from collections.abc import Sequence
from pathlib import Path

from application.references import KINDS, merge, read
from domain.errors import InvalidOptions
from domain.scoring import Reference


def reference_for(file: Path, given: Sequence[Path], *, alone: bool) -> Reference:
    """Gather what is known of `file`: from the references given, and from files of its name beside it.

    Raises:
        InvalidOptions: a reference cannot be read.
    """
    named = [path for place in given for path in (sorted(place.iterdir()) if place.is_dir() else [place])]
    found = []
    for path in [*named, *(file.with_suffix(f".{kind}") for kind in KINDS)]:
        kind = path.suffix[1:].lower()
        if kind not in KINDS or not path.is_file():
            continue
        try:
            sheet = read(path.read_text(encoding="utf-8"), kind)
        except (InvalidOptions, UnicodeDecodeError) as error:
            if path in given:
                raise InvalidOptions(f"{path.name} cannot be read as a reference") from error
            continue
        if path.stem == file.stem or sheet.names(file.stem) or (alone and path in given):
            found.append(sheet.about(file.stem))
    return merge(found)
