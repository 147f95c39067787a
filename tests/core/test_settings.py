"""A wrong setting stops the start, and says which one."""

import base64
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import LONGEST_SOCKET, Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch, tmp_path):
    import os

    for name in list(os.environ):
        if name.startswith("XINQIAO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASTER_KEY", "not base64!"),
        ("MASTER_KEY", base64.b64encode(b"too short").decode()),
        ("MASTER_KEY", base64.b64encode(b"x" * 33).decode()),
        ("PUBLIC_URL", "bank.example"),
        ("WECHAT_API_URL", "ftp://bank.example"),
        ("PORT", "0"),
        ("PORT", "http"),
        ("WEB_THREADS", "0"),
        ("PROXY_HOPS", "9"),
    ],
)
def test_a_wrong_value_stops_the_start(monkeypatch, name, value):
    monkeypatch.setenv(f"XINQIAO_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_the_defaults_run_on_one_machine_with_nothing_installed(tmp_path):
    settings = Settings()

    assert settings.database == f"sqlite:///{tmp_path}/data/xinqiao.db"
    assert settings.redis == f"unix://{tmp_path}/data/redis.sock"
    assert settings.files_dir == Path("data/files")
    assert not settings.is_https


def test_given_addresses_win(monkeypatch):
    monkeypatch.setenv("XINQIAO_DATABASE_URL", "mysql+pymysql://db/xinqiao")
    monkeypatch.setenv("XINQIAO_REDIS_URL", "redis://r:6379/0")
    monkeypatch.setenv("XINQIAO_PUBLIC_URL", "https://bank.example/")

    settings = Settings()

    assert (settings.database, settings.redis) == ("mysql+pymysql://db/xinqiao", "redis://r:6379/0")
    assert (settings.public_url, settings.is_https) == ("https://bank.example", True)


def test_a_socket_in_a_deep_folder_gets_a_short_name(tmp_path):
    deep = Settings(data_dir=tmp_path / ("deep" * 30))
    deeper = Settings(data_dir=tmp_path / ("deep" * 31))

    assert len(str(deep.redis_socket)) <= LONGEST_SOCKET
    assert deep.redis_socket != deeper.redis_socket


def test_the_master_key_does_not_print(monkeypatch):
    key = base64.b64encode(b"k" * 32).decode()
    monkeypatch.setenv("XINQIAO_MASTER_KEY", key)

    settings = Settings()

    assert settings.master_key.get_secret_value() == key
    assert key not in repr(settings)


def test_nothing_changes_after_the_start():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_the_example_file_names_every_setting_with_its_default(monkeypatch):
    example = (ROOT / ".env.example").read_text()

    named = {name.lower() for name in re.findall(r"^XINQIAO_(\w+)=", example, re.MULTILINE)}
    assert named == set(Settings.model_fields)
    assert Settings(_env_file=ROOT / ".env.example") == Settings()
