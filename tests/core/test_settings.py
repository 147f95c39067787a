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
        ("SMS_GATEWAY", "http://sms.bank.example"),
        ("SMS_GATEWAY", "https://"),
        ("SMS_GATEWAY", "https://user:password@sms.bank.example"),
        ("SMS_GATEWAY", "https://sms.bank.example#part"),
        ("SMS_GATEWAY", "on"),
        ("SMS_TOKEN", "two words"),
        ("SMS_TOKEN", "令牌"),
        ("SMS_DAILY_CAP", "0"),
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


def test_a_gateway_for_text_messages_is_an_address_with_a_token(monkeypatch):
    monkeypatch.setenv("XINQIAO_SMS_GATEWAY", "https://sms.bank.example/send")
    with pytest.raises(ValidationError, match="sms_token"):
        Settings()

    monkeypatch.setenv("XINQIAO_SMS_TOKEN", "token-of-the-gateway")
    settings = Settings()

    assert settings.sms_gateway == "https://sms.bank.example/send"
    assert "token-of-the-gateway" not in repr(settings)


def test_the_file_for_text_messages_wants_no_token(monkeypatch):
    monkeypatch.setenv("XINQIAO_SMS_GATEWAY", "file")

    assert Settings().sms_file == Path("data/sms.jsonl")


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


# --- the key beside the data ----------------------------------------------------------------

KEY, OTHER_KEY = (base64.b64encode(letter * 32).decode() for letter in (b"k", b"o"))


def put_key(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "master.key").write_text(text)


def test_without_a_key_the_demos_in_the_data_folder_counts(monkeypatch, tmp_path):
    put_key(tmp_path / "data", f"{KEY}\n")
    put_key(tmp_path / "other", OTHER_KEY)
    assert Settings().master_key.get_secret_value() == KEY

    monkeypatch.setenv("XINQIAO_MASTER_KEY", "")
    monkeypatch.setenv("XINQIAO_DATA_DIR", str(tmp_path / "other"))

    assert Settings().master_key.get_secret_value() == OTHER_KEY


def test_a_given_key_wins_over_the_one_in_the_folder(monkeypatch, tmp_path):
    put_key(tmp_path / "data", KEY)
    monkeypatch.setenv("XINQIAO_MASTER_KEY", OTHER_KEY)

    assert Settings().master_key.get_secret_value() == OTHER_KEY


@pytest.mark.parametrize("content", [b"not base64!", b"\xff\xfe"])
def test_a_spoilt_key_in_the_folder_stops_the_start(tmp_path, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "master.key").write_bytes(content)

    with pytest.raises(ValidationError, match=r"master.key"):
        Settings()


def test_nothing_changes_after_the_start():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_the_example_file_names_every_setting_with_its_default(monkeypatch):
    example = (ROOT / ".env.example").read_text()

    named = {name.lower() for name in re.findall(r"^XINQIAO_(\w+)=", example, re.MULTILINE)}
    assert named == set(Settings.model_fields)
    assert Settings(_env_file=ROOT / ".env.example") == Settings()
