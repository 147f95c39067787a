"""Encryption at rest, blind indexes, masks, random secrets.

Sealed text is ``v1.<key id>.<base64 of nonce + ciphertext + tag>``: AES-256-GCM under a data key.
Data keys are rows of ``data_keys``, wrapped by ``XINQIAO_MASTER_KEY``; the newest one seals, all
unseal, so rotation is one new row. The purpose is authenticated with the text: a sealed phone
cannot be pasted over a sealed bank card.
"""

import base64
import hashlib
import hmac
import os
import secrets
import threading
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from core.clock import utc_now
from core.db import Key, Model, ShortText, reading, transaction
from core.settings import Settings

_NONCE = 12
_KEY_ID = 8
SEALING, INDEXING = "sealing", "indexing"


class DataKey(Model):
    """One wrapped key. ``use`` is ``sealing`` or ``indexing``; there is one index key for ever."""

    __tablename__ = "data_keys"

    id: Mapped[Key]
    use: Mapped[ShortText]
    wrapped: Mapped[str]
    created_at: Mapped[datetime]


class SealBroken(Exception):
    """The text was sealed under another key or purpose, or it was changed."""


class KeyRing:
    """The unwrapped keys of this process; re-reads the table when it meets a key it lacks."""

    def __init__(self, master_key: bytes) -> None:
        self._master = AESGCM(master_key)
        self._sealing: dict[int, AESGCM] = {}
        self._index_key = b""
        self._lock = threading.Lock()

    def seal(self, purpose: str, text: str) -> str:
        key_id = self._newest()
        nonce = os.urandom(_NONCE)
        sealed = self._sealing[key_id].encrypt(nonce, text.encode(), purpose.encode())
        return f"v1.{key_id}.{base64.b64encode(nonce + sealed).decode()}"

    def unseal(self, purpose: str, sealed: str) -> str:
        try:
            version, key_id, body = sealed.split(".", 2)
            raw = base64.b64decode(body, validate=True)
            if version != "v1":
                raise SealBroken("unknown version")
            cipher = self._cipher(int(key_id))
            return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode()).decode()
        except (ValueError, InvalidTag, KeyError) as error:
            raise SealBroken("cannot be read under this key and purpose") from error

    def seal_bytes(self, purpose: str, content: bytes) -> bytes:
        """For files: the key id in 8 bytes, the nonce, the ciphertext."""
        key_id, nonce = self._newest(), os.urandom(_NONCE)
        sealed = self._sealing[key_id].encrypt(nonce, content, purpose.encode())
        return key_id.to_bytes(_KEY_ID) + nonce + sealed

    def unseal_bytes(self, purpose: str, sealed: bytes) -> bytes:
        key_id, body = int.from_bytes(sealed[:_KEY_ID]), sealed[_KEY_ID:]
        try:
            return self._cipher(key_id).decrypt(body[:_NONCE], body[_NONCE:], purpose.encode())
        except (ValueError, InvalidTag, KeyError) as error:
            raise SealBroken("cannot be read under this key and purpose") from error

    def blind_index(self, purpose: str, text: str) -> str:
        """A keyed fingerprint that finds equal values without storing them (64 hex digits)."""
        self._newest()
        return hmac.new(self._index_key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()

    def rotate(self) -> int:
        """Add a new sealing key; what was sealed before stays readable."""
        with transaction() as session:
            key = self._new_key(SEALING)
            session.add(key)
            session.flush()
        self._load()
        return key.id

    def ensure_keys(self) -> None:
        """Create the first keys of an empty database. Run by ``db upgrade`` and the demo."""
        with transaction() as session:
            present = set(session.scalars(select(DataKey.use)))
            session.add_all(self._new_key(use) for use in (SEALING, INDEXING) if use not in present)
        self._load()

    def _new_key(self, use: str) -> DataKey:
        nonce, key = os.urandom(_NONCE), os.urandom(32)
        wrapped = base64.b64encode(nonce + self._master.encrypt(nonce, key, use.encode()))
        return DataKey(use=use, wrapped=wrapped.decode(), created_at=utc_now())

    def _newest(self) -> int:
        if not self._sealing or not self._index_key:
            self._load()
        if not self._sealing:
            raise SealBroken("no data keys yet: run `xinqiao db upgrade`")
        return max(self._sealing)

    def _cipher(self, key_id: int) -> AESGCM:
        if key_id not in self._sealing:
            self._load()
        return self._sealing[key_id]

    def _load(self) -> None:
        session = reading()
        # The caller may be half way through filling a row with sealed fields.
        with self._lock, session.no_autoflush:
            for row in session.scalars(select(DataKey).order_by(DataKey.id)):
                raw = base64.b64decode(row.wrapped)
                try:
                    key = self._master.decrypt(raw[:_NONCE], raw[_NONCE:], row.use.encode())
                except InvalidTag as error:
                    raise SealBroken("XINQIAO_MASTER_KEY does not open the data keys") from error
                if row.use == SEALING:
                    self._sealing[row.id] = AESGCM(key)
                elif not self._index_key:  # the first for ever, should two upgrades have met
                    self._index_key = key


_ring: KeyRing | None = None


def init_security(settings: Settings) -> None:
    global _ring  # noqa: PLW0603 -- one key ring for the process, replaced by tests
    key = settings.master_key.get_secret_value()
    _ring = KeyRing(base64.b64decode(key)) if key else None


def key_ring() -> KeyRing:
    if _ring is None:
        raise SealBroken("XINQIAO_MASTER_KEY is not set")
    return _ring


def seal(purpose: str, text: str) -> str:
    return key_ring().seal(purpose, text)


def unseal(purpose: str, sealed: str) -> str:
    return key_ring().unseal(purpose, sealed)


def blind_index(purpose: str, text: str) -> str:
    return key_ring().blind_index(purpose, text)


def random_code(length: int = 24) -> str:
    """An unguessable code of letters and digits, e.g. for scene values and states."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(length))


# --- masks (JR/T 0171-2020) -----------------------------------------------------------------


def mask_name(name: str) -> str:
    """张*; two or more hidden characters show as two: 欧阳明月 → 欧**."""
    return name[:1] + "*" * min(max(len(name) - 1, 1), 2) if name else ""


def mask_phone(phone: str) -> str:
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else "*" * len(phone)


def mask_id_no(id_no: str) -> str:
    return (
        f"{id_no[:4]}{'*' * (len(id_no) - 8)}{id_no[-4:]}" if len(id_no) >= 15 else "*" * len(id_no)
    )


def mask_card(card: str) -> str:
    return f"****{card[-4:]}" if len(card) >= 12 else "*" * len(card)
