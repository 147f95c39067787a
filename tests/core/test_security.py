"""Encryption at rest: read only under the right key and purpose, and never by chance."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from core.clock import utc_now
from core.db import transaction
from core.security import (
    INDEXING,
    SEALING,
    DataKey,
    KeyRing,
    SealBroken,
    blind_index,
    init_security,
    key_ring,
    mask_card,
    mask_id_no,
    mask_name,
    mask_phone,
    random_code,
    seal,
    unseal,
)
from core.settings import Settings
from domain.directory.models import Org, OrgKind
from tests.conftest import MASTER_KEY

PHONE = "13800000001"
MASTER = base64.b64decode(MASTER_KEY)


@pytest.fixture
def ring(session):
    """A key ring of its own: rotations here are rolled back."""
    return KeyRing(MASTER)


# --- sealing --------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", ["", PHONE, "工资条 6120.50", "😀" * 1000])
def test_what_is_sealed_comes_back_whole(session, plain):
    assert unseal("phone", seal("phone", plain)) == plain


def test_sealed_text_shows_nothing_and_never_repeats(session):
    one, other = seal("phone", PHONE), seal("phone", PHONE)

    assert PHONE not in one
    assert one != other


def test_a_sealed_phone_cannot_pass_for_a_bank_card(session):
    with pytest.raises(SealBroken):
        unseal("card", seal("phone", PHONE))


def test_any_changed_sign_is_noticed(session):
    sealed = seal("phone", PHONE)

    for place in range(len(sealed)):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(SealBroken):
            unseal("phone", changed)


@pytest.mark.parametrize(
    "broken", ["", "v1", "v1.1", "v2.1.AAAA", "v1.x.AAAA", "v1.4711.AAAA", "v1.1.", "v1.1.###"]
)
def test_what_was_never_sealed_is_refused(session, broken):
    with pytest.raises(SealBroken):
        unseal("phone", broken)


def test_bytes_are_sealed_like_text(ring):
    content = bytes(range(256))
    sealed = ring.seal_bytes("file", content)

    assert content not in sealed
    assert ring.unseal_bytes("file", sealed) == content
    for purpose, broken in [
        ("other", sealed),
        ("file", sealed[:-1]),
        ("file", b""),
        ("file", b"x"),
    ]:
        with pytest.raises(SealBroken):
            ring.unseal_bytes(purpose, broken)


# --- keys -----------------------------------------------------------------------------------


def test_what_was_sealed_before_a_rotation_stays_readable(ring):
    before = ring.seal("phone", PHONE)

    new_key = ring.rotate()

    after = ring.seal("phone", PHONE)
    assert after.startswith(f"v1.{new_key}.")
    assert not before.startswith(f"v1.{new_key}.")
    assert ring.unseal("phone", before) == ring.unseal("phone", after) == PHONE


def test_another_process_reads_what_a_newer_key_sealed(ring):
    other_process = KeyRing(MASTER)
    assert other_process.unseal("phone", ring.seal("phone", PHONE)) == PHONE

    ring.rotate()

    assert other_process.unseal("phone", ring.seal("phone", PHONE)) == PHONE


def test_a_process_may_seal_for_the_first_time_half_way_through_a_row(ring):
    with transaction() as session:
        half = Org(org_path="/hq/", kind=OrgKind.UNION, created_at=utc_now())
        session.add(half)
        half.name = ring.seal("name", "总行")

    assert ring.unseal("name", half.name) == "总行"


def test_a_rotation_does_not_move_what_is_searched(ring):
    before = ring.blind_index("phone", PHONE)

    ring.rotate()

    assert KeyRing(MASTER).blind_index("phone", PHONE) == before


def test_a_second_index_key_is_never_used(ring):
    before = ring.blind_index("phone", PHONE)
    with transaction() as session:
        session.add(ring._new_key(INDEXING))

    assert KeyRing(MASTER).blind_index("phone", PHONE) == before


def test_the_first_keys_are_made_once(session, ring):
    with transaction() as writing:
        writing.execute(text("DELETE FROM data_keys"))

    ring.ensure_keys()
    ring.ensure_keys()

    uses = session.scalars(select(DataKey.use).order_by(DataKey.use)).all()
    assert uses == [INDEXING, SEALING]


def test_without_keys_nothing_is_sealed_in_clear(session):
    with transaction() as writing:
        writing.execute(text("DELETE FROM data_keys"))

    with pytest.raises(SealBroken, match="db upgrade"):
        KeyRing(MASTER).seal("phone", PHONE)


def test_keys_lie_wrapped_in_the_database(session, ring):
    stored = session.scalars(select(DataKey.wrapped)).all()

    ring.seal("phone", PHONE)
    for wrapped in stored:
        raw = base64.b64decode(wrapped)
        assert ring._index_key not in raw


def test_another_master_key_opens_nothing(session):
    sealed = seal("phone", PHONE)
    stranger = KeyRing(b"x" * 32)

    with pytest.raises(SealBroken, match="XINQIAO_MASTER_KEY"):
        stranger.unseal("phone", sealed)
    with pytest.raises(SealBroken, match="XINQIAO_MASTER_KEY"):
        stranger.seal("phone", PHONE)


def test_a_wrapped_key_of_one_use_cannot_serve_the_other(session, ring):
    with transaction() as writing:
        writing.execute(text("UPDATE data_keys SET `use` = 'sealing'"))

    with pytest.raises(SealBroken):
        KeyRing(MASTER).seal("phone", PHONE)


def test_without_a_master_key_sealing_says_what_is_missing(settings):
    init_security(Settings(_env_file=None, master_key=""))
    try:
        with pytest.raises(SealBroken, match="XINQIAO_MASTER_KEY is not set"):
            key_ring()
    finally:
        init_security(settings)


# --- indexes, codes, masks ------------------------------------------------------------------


def test_a_blind_index_finds_equals_and_tells_nothing(session):
    assert blind_index("phone", PHONE) == blind_index("phone", PHONE)
    assert blind_index("phone", PHONE) != blind_index("id_no", PHONE)
    assert blind_index("phone", PHONE) != blind_index("phone", "13800000002")
    assert blind_index("a", "b") != blind_index("a\0b", "")
    assert len(blind_index("phone", PHONE)) == 64
    assert PHONE not in blind_index("phone", PHONE)


def test_codes_are_long_and_different():
    codes = {random_code() for _ in range(100)}

    assert len(codes) == 100
    assert {len(code) for code in codes} == {24}
    assert all(code.isalnum() and code.isascii() for code in codes)


@pytest.mark.parametrize(
    ("mask", "plain", "masked"),
    [
        (mask_name, "张伟", "张*"),
        (mask_name, "欧阳明月", "欧**"),
        (mask_name, "张", "张*"),
        (mask_name, "", ""),
        (mask_phone, PHONE, "138****0001"),
        (mask_phone, "", ""),
        (mask_phone, "12345", "*****"),
        (mask_id_no, "110101199003071234", "1101**********1234"),
        (mask_id_no, "12345678", "********"),
        (mask_card, "6222021001123457890", "****7890"),
        (mask_card, "12345678", "********"),
    ],
)
def test_masks_show_no_more_than_they_should(mask, plain, masked):
    assert mask(plain) == masked


@given(st.text(max_size=40))
def test_no_mask_ever_shows_more_than_half(plain):
    for mask in (mask_phone, mask_id_no, mask_card):
        masked = mask(plain)
        shown = sum(1 for sign in masked if sign != "*")
        assert shown <= 8
        assert not plain or plain == "*" * len(plain) or masked != plain
