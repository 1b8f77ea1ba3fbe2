"""The installation's secret: made once, for this user alone; a key for each purpose."""

import base64
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.errors import NotConfigured
from infrastructure.installation_secret import derived_key, installation_secret
from infrastructure.load_settings import BadSettings, effective, load_settings
from infrastructure.settings import Settings

POSTGRES = "postgresql+psycopg://somewhere/colloquy"


def test_it_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: installation_secret(settings), range(8)))
    assert len(made) == 1
    assert len(made.pop()) == 32
    (file,) = settings.data.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_each_installation_and_each_purpose_has_its_own(tmp_path: Path) -> None:
    one, other = (Settings(data_dir=str(tmp_path / name)) for name in ("one", "other"))
    keys = [derived_key(one, "a"), derived_key(one, "b"), derived_key(other, "a")]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}
    assert derived_key(one, "a") == keys[0]


def test_the_setting_goes_before_the_file(tmp_path: Path) -> None:
    given = secrets.token_bytes(32)
    text = base64.b64encode(given).decode()
    settings = load_settings({"DATA_DIR": str(tmp_path), "INSTALLATION_SECRET": text, "DATABASE_URL": POSTGRES})
    assert installation_secret(settings) == given
    assert list(tmp_path.iterdir()) == []
    assert text not in str(effective(settings))


def test_several_machines_must_be_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), database_url=POSTGRES)
    with pytest.raises(NotConfigured, match="INSTALLATION_SECRET"):
        installation_secret(settings)


@pytest.mark.parametrize("secret", ["changeme", "A" * 40, "A" * 45, "*" * 44])
def test_a_short_or_garbled_one_is_refused(secret: str) -> None:
    with pytest.raises(BadSettings, match="INSTALLATION_SECRET") as refused:
        load_settings({"INSTALLATION_SECRET": secret})
    assert secret not in str(refused.value)
