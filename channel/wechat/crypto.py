"""The envelope of callbacks: signatures and AES, the same for official accounts and WeCom.

https://developers.weixin.qq.com/doc/oplatform/developers/dev/auth/encrypt_decrypt_message.html

Cipher, padding and signing are wechatpy's. Reading is ours, because wechatpy's takes any padding,
compares in variable time and answers short input with ``struct.error``; so is the random prefix,
which wechatpy draws from ``random``. Knows nothing of our house: the sandbox uses this file too.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence

from wechatpy.crypto.base import WeChatCipher
from wechatpy.crypto.pkcs7 import PKCS7Encoder
from wechatpy.utils import WeChatSigner

_PREFIX = 16
_LENGTH = 4
_AES_BLOCK = 16
_AES_KEY = 32


class CryptoRefused(Exception):
    """The envelope was not made by the holder of our token and key, or not for this receiver."""


def signature(*parts: str) -> str:
    """SHA-1 over the sorted parts: ``token, timestamp, nonce`` and, in safe mode, ``Encrypt``."""
    signer = WeChatSigner()
    signer.add_data(*(_bytes(part) for part in parts))
    return str(signer.signature)


def same(mine: str, claimed: str) -> bool:
    """Compare in constant time; unlike ``hmac.compare_digest`` it takes any text."""
    return hmac.compare_digest(_bytes(mine), _bytes(claimed))


class MessageCrypto:
    """Signs, encrypts and decrypts for one account.

    ``aes_keys`` are EncodingAESKeys of 43 characters: the first encrypts, each may decrypt, so that
    a key can be changed while messages under the old one still arrive. ``receiver`` is the appid,
    or the corpid in WeCom.
    """

    def __init__(self, token: str, aes_keys: Sequence[str], receiver: str) -> None:
        if not aes_keys:
            raise ValueError("at least one EncodingAESKey is needed")
        self._token = token
        self._keys = [_aes_key(key) for key in aes_keys]
        self._receiver = receiver.encode()

    def sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        return signature(self._token, timestamp, nonce, encrypted)

    def verify(self, claimed: str, timestamp: str, nonce: str, encrypted: str) -> None:
        if not same(self.sign(timestamp, nonce, encrypted), claimed):
            raise CryptoRefused("signature")

    def encrypt(self, xml: str) -> str:
        """The base64 text that goes into ``<Encrypt>``."""
        body = xml.encode()
        length = len(body).to_bytes(_LENGTH, "big")
        plain = secrets.token_bytes(_PREFIX) + length + body + self._receiver
        padded = PKCS7Encoder.encode(plain)
        return base64.b64encode(WeChatCipher(self._keys[0]).encrypt(padded)).decode()

    def decrypt(self, encrypted: str) -> str:
        try:
            cipher_text = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError):
            raise CryptoRefused("not base64") from None
        if not cipher_text or len(cipher_text) % _AES_BLOCK:
            raise CryptoRefused("length")
        for key in self._keys:
            text = self._open(WeChatCipher(key).decrypt(cipher_text))
            if text is not None:
                return text
        raise CryptoRefused("no key opens it for this receiver")

    def envelope(self, xml: str, timestamp: str, nonce: str) -> str:
        """A reply as it is sent in safe mode."""
        encrypted = self.encrypt(xml)
        return (
            f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt>"
            f"<MsgSignature><![CDATA[{self.sign(timestamp, nonce, encrypted)}]]></MsgSignature>"
            f"<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )

    def _open(self, padded: bytes) -> str | None:
        """The message in a decrypted block, or None. One answer for every fault: no oracle."""
        pad = padded[-1]
        if not 1 <= pad <= PKCS7Encoder.block_size or not padded.endswith(bytes([pad]) * pad):
            return None
        plain = padded[:-pad]
        start = _PREFIX + _LENGTH
        end = start + int.from_bytes(plain[_PREFIX:start], "big")
        if len(plain) < start or end > len(plain):
            return None
        if not hmac.compare_digest(plain[end:], self._receiver):
            return None
        try:
            return plain[start:end].decode()
        except UnicodeDecodeError:
            return None


def _aes_key(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded + "=", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _AES_KEY:
        raise ValueError("an EncodingAESKey has 43 letters and digits")
    return key


def _bytes(text: str) -> bytes:
    # A lone surrogate in a query string is a wrong signature, not a UnicodeEncodeError.
    return text.encode("utf-8", "surrogatepass")
