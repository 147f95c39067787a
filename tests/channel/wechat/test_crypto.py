import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto
from wechatpy.crypto.base import WeChatCipher

from channel.wechat.crypto import CryptoRefused, MessageCrypto, same, signature

# The sample that ships with WeChat's own WXBizMsgCrypt.
TOKEN, APPID = "spamtest", "wx2c2769f8efd9abc2"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OTHER_KEY = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
TIMESTAMP, NONCE = "1409735669", "1320562132"
MSG_SIGNATURE = "5d197aaffba7e9b25a30732f161a50dee96bd5fa"
SIGNATURE = "16120ec1b8dbb870f510d87ce6bc2463eae6ca1a"
ENCRYPT = (
    "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PG"
    "HQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6"
    "tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp"
    "3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhv"
    "Ql+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
)

crypto = MessageCrypto(TOKEN, [AES_KEY], APPID)


def aes(key: str, plain: bytes) -> str:
    raw_key = base64.b64decode(key + "=")
    return base64.b64encode(WeChatCipher(raw_key).encrypt(plain)).decode()


def plain_message(message: bytes, receiver: str = APPID, length: int | None = None) -> bytes:
    size = len(message) if length is None else length
    return b"r" * 16 + size.to_bytes(4, "big") + message + receiver.encode()


def padded(plain: bytes) -> bytes:
    pad = 32 - len(plain) % 32
    return plain + bytes([pad]) * pad


def test_the_official_sample_is_verified_and_decrypted():
    crypto.verify(MSG_SIGNATURE, TIMESTAMP, NONCE, ENCRYPT)

    assert "<Content><![CDATA[abcdteT]]></Content>" in crypto.decrypt(ENCRYPT)


def test_the_official_sample_of_an_address_check_is_verified():
    assert signature(TOKEN, TIMESTAMP, NONCE) == SIGNATURE


@given(st.text(st.characters(codec="utf-8")))
def test_what_we_encrypt_we_and_wechatpy_decrypt(text):
    encrypted = crypto.encrypt(text)

    assert crypto.decrypt(encrypted) == text
    crypto.verify(crypto.sign("1", "n", encrypted), "1", "n", encrypted)


@given(
    st.text(max_size=120) | st.binary(max_size=120).map(lambda raw: base64.b64encode(raw).decode())
)
def test_no_text_whatsoever_is_opened_or_raises_anything_else(text):
    with pytest.raises(CryptoRefused):
        crypto.decrypt(text)


def test_wechatpy_opens_our_envelope():
    envelope = crypto.envelope("<xml>你好</xml>", "1", "n")
    claimed = envelope.split("<MsgSignature><![CDATA[")[1].split("]]>")[0]

    opened = WeChatCrypto(TOKEN, AES_KEY, APPID).decrypt_message(envelope, claimed, "1", "n")

    assert opened == "<xml>你好</xml>"


def test_the_same_message_never_looks_the_same_twice():
    assert crypto.encrypt("x") != crypto.encrypt("x")


def test_during_a_change_of_keys_both_open_and_the_first_seals():
    changing = MessageCrypto(TOKEN, [OTHER_KEY, AES_KEY], APPID)

    assert "abcdteT" in changing.decrypt(ENCRYPT)
    assert MessageCrypto(TOKEN, [OTHER_KEY], APPID).decrypt(changing.encrypt("x")) == "x"
    with pytest.raises(CryptoRefused):
        crypto.decrypt(changing.encrypt("x"))


@pytest.mark.parametrize(
    "encrypted",
    [
        "",
        "not base64!",
        "AAAA",
        "é",
        ENCRYPT[:-8],
        base64.b64encode(b"\0" * 64).decode(),
    ],
)
def test_what_was_not_made_with_our_key_is_refused(encrypted):
    with pytest.raises(CryptoRefused):
        crypto.decrypt(encrypted)


@pytest.mark.parametrize(
    "plain",
    [
        padded(plain_message(b"hello", receiver="wx-someone-else")),
        padded(plain_message(b"hello", receiver="")),
        padded(plain_message(b"hello", length=3)),
        padded(plain_message(b"hello", length=2**32 - 1)),
        padded(plain_message(b"\xff\xfe not utf-8")),
        padded(b"short"),
        b"\0" * 64,
        plain_message(b"0123456789")[:-1].ljust(63, b"\x05") + b"\x21",
        padded(plain_message(b"hello"))[:-3] + b"\x00" + padded(plain_message(b"hello"))[-2:],
    ],
    ids=[
        "another receiver",
        "no receiver",
        "length too small",
        "length too large",
        "not UTF-8",
        "too short",
        "padding 0",
        "padding 33",
        "padding of unequal bytes",
    ],
)
def test_a_block_under_our_key_that_is_not_well_formed_is_refused(plain):
    with pytest.raises(CryptoRefused):
        crypto.decrypt(aes(AES_KEY, plain))


@pytest.mark.parametrize("claimed", ["", SIGNATURE, MSG_SIGNATURE.upper(), "é", "\ud800"])
def test_a_wrong_signature_is_refused(claimed):
    with pytest.raises(CryptoRefused):
        crypto.verify(claimed, TIMESTAMP, NONCE, ENCRYPT)


def test_texts_are_the_same_only_when_equal():
    assert same("abc", "abc")
    assert not same("abc", "abd")
    assert not same("abc", "")


@pytest.mark.parametrize("keys", [[], ["short"], ["!" * 43], [AES_KEY, AES_KEY[:-1]]])
def test_keys_of_the_wrong_form_are_refused_at_once(keys):
    with pytest.raises(ValueError, match="EncodingAESKey"):
        MessageCrypto(TOKEN, keys, APPID)
