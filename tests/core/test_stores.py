"""Attempt limits and files."""

import pytest

from core import ratelimit
from core.clock import business_date
from core.errors import TooMany
from core.files import FolderStore, files
from core.security import SealBroken, init_security
from core.settings import Settings

LIMIT = "3/hour"


# --- attempts -------------------------------------------------------------------------------


def test_attempts_are_counted_until_the_limit(redis):
    assert [ratelimit.allow(LIMIT, "bind", "7") for _ in range(4)] == [True, True, True, False]


def test_each_key_has_its_own_count(redis):
    for _ in range(4):
        ratelimit.allow(LIMIT, "bind", "7")

    assert ratelimit.allow(LIMIT, "bind", "8")
    assert ratelimit.allow(LIMIT, "sign-in", "7")
    assert ratelimit.allow("3/day", "bind", "7")


def test_one_attempt_too_many_is_refused(redis):
    for _ in range(3):
        ratelimit.count_attempt(LIMIT, "bind", "7")

    with pytest.raises(TooMany):
        ratelimit.count_attempt(LIMIT, "bind", "7")


def test_asking_does_not_count(redis):
    for _ in range(5):
        assert ratelimit.is_open(LIMIT, "bind", "7")

    for _ in range(3):
        ratelimit.allow(LIMIT, "bind", "7")
    assert not ratelimit.is_open(LIMIT, "bind", "7")


def test_counts_are_kept_under_our_own_prefix_and_end_by_themselves(redis):
    ratelimit.allow(LIMIT, "bind", "7")

    (key,) = redis.keys()
    assert "xq:limit" in key
    assert 0 < redis.ttl(key) <= 3600


# --- files ----------------------------------------------------------------------------------


@pytest.fixture
def store(session, tmp_path):
    return FolderStore(tmp_path / "files")


def test_a_file_comes_back_whole(store):
    key = store.put(b"\x00 pay \xff", kind="payroll")

    assert store.get(key) == b"\x00 pay \xff"
    assert key.startswith(f"payroll/{business_date():%Y/%m}/")


def test_a_file_is_sealed_on_disk(store, tmp_path):
    store.put("张伟 6120.50".encode(), kind="payroll")

    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert "张伟".encode() not in path.read_bytes()
    assert path.suffix == ""


def test_a_changed_file_is_noticed(store, tmp_path):
    key = store.put(b"pay", kind="payroll")
    path = tmp_path / "files" / key
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(SealBroken):
        store.get(key)


def test_deleting_twice_is_harmless(store):
    key = store.put(b"pay", kind="payroll")

    store.delete(key)
    store.delete(key)

    with pytest.raises(FileNotFoundError):
        store.get(key)


@pytest.mark.parametrize(
    "key", ["../secret", "payroll/../../secret", "/etc/passwd", "payroll/2026/03/link"]
)
def test_no_key_leads_out_of_the_folder(store, tmp_path, key):
    secret = tmp_path / "secret"
    secret.write_bytes(b"not yours")
    link = tmp_path / "files" / "payroll" / "2026" / "03" / "link"
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)

    with pytest.raises(FileNotFoundError):
        store.get(key)
    with pytest.raises(FileNotFoundError):
        store.delete(key)
    assert secret.read_bytes() == b"not yours"


def test_the_houses_files_lie_in_the_data_folder(session, settings):
    key = files().put(b"pay", kind="payroll")

    assert (settings.files_dir / key).is_file()


def test_without_a_master_key_no_file_is_written(session, settings, tmp_path):
    init_security(Settings(_env_file=None, master_key=""))
    try:
        with pytest.raises(SealBroken):
            FolderStore(tmp_path).put(b"pay", kind="payroll")
    finally:
        init_security(settings)

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
