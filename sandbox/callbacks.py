"""Tells accounts what happened: signed, encrypted, within five seconds, three times at most."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.parsers.expat import ExpatError

import aiohttp
import xmltodict
from yarl import URL

from channel.wechat.crypto import CryptoRefused, signature
from sandbox.state import Account, Fan, Json, Kind, Message, Mode
from sandbox.wecom import letters
from sandbox.world import Callback, World

TRIES = 3
PEOPLE_AT_ONCE = 8
RESULTS_AT_ONCE = 16
RESULTS_WHILE_BUSY = 1  # or a mass push would compete with its own results for one core
BUSY_REQUESTS_PER_SECOND = 500
LOOK_EVERY_SECONDS = 0.1
PAUSE_SECONDS = 60  # MarkFail
APOLOGY = "该服务号暂时无法提供服务，请稍后再试"
TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


class BadReply(Exception):
    """The account answered something that is neither success nor a message."""


@dataclass(frozen=True, slots=True)
class Envelope:
    query: dict[str, str]
    body: str


def seal(account: Account, openid: str, xml: str, timestamp: str, nonce: str) -> Envelope:
    if account.kind is Kind.WECOM_APP:
        return Envelope(*letters.seal(account, xml, timestamp, nonce))
    query = {
        "signature": signature(account.token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "openid": openid,
    }
    if account.mode is Mode.PLAIN:
        return Envelope(query, xml)
    encrypted = letters.crypto(account).encrypt(xml)
    query["encrypt_type"] = "aes"
    query["msg_signature"] = signature(account.token, timestamp, nonce, encrypted)
    sealed = f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    if account.mode is Mode.COMPATIBLE:
        return Envelope(query, xml.removesuffix("</xml>") + sealed)
    receiver = f"<ToUserName><![CDATA[{account.original_id}]]></ToUserName>"
    return Envelope(query, f"<xml>{receiver}{sealed}")


def open_reply(account: Account, text: str) -> Json | None:
    """The passive reply as a dictionary; None when the account has nothing to say."""
    if text.strip() in {"", "success"}:
        return None
    reply = _parse(text)
    if encrypted := reply.get("Encrypt"):
        signed = (account.token, str(reply.get("TimeStamp")), str(reply.get("Nonce")), encrypted)
        if signature(*signed) != reply.get("MsgSignature"):
            raise BadReply("the signature of the reply is wrong")
        try:
            reply = _parse(letters.crypto(account).decrypt(encrypted))
        except CryptoRefused as error:
            raise BadReply(f"the reply cannot be decrypted: {error}") from error
    if not reply.get("MsgType"):
        raise BadReply("the reply has no MsgType")
    return reply


class Sender:
    """Runs beside the server. Results wait in a line of their own, so that people do not."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: list[asyncio.Task[None]] = []
        self._is_quiet = asyncio.Event()

    async def __aenter__(self) -> "Sender":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=PEOPLE_AT_ONCE + RESULTS_AT_ONCE),
            headers={"User-Agent": "Mozilla/4.0", "Content-Type": "text/xml"},
        )
        jobs = [self._work(self._world.from_people) for _ in range(PEOPLE_AT_ONCE)]
        jobs += [
            self._work(self._world.results, waits_for_quiet=number >= RESULTS_WHILE_BUSY)
            for number in range(RESULTS_AT_ONCE)
        ]
        self._tasks = [asyncio.create_task(job) for job in (self._watch_load(), *jobs)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def verify(self, account: Account) -> str:
        """What the console does when a callback address is saved: ``ok`` or what went wrong."""
        echo = secrets.token_hex(10)
        url, seconds = _question(account, echo)
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.get(url, timeout=timeout) as response:
                answer = await response.text()
        except TRANSPORT_ERRORS as error:
            return f"no answer: {type(error).__name__}"
        if response.status == 200 and answer == echo:
            return "ok"
        return f"HTTP {response.status}, not the echostr: {answer[:80]!r}"

    async def _watch_load(self) -> None:
        seen = self._world.requests_seen
        while True:
            before, seen = seen, self._world.requests_seen
            if seen - before > BUSY_REQUESTS_PER_SECOND * LOOK_EVERY_SECONDS:
                self._is_quiet.clear()
            else:
                self._is_quiet.set()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _work(self, line: asyncio.Queue[Callback], *, waits_for_quiet: bool = False) -> None:
        while True:
            if waits_for_quiet:
                await self._is_quiet.wait()
            callback = await line.get()
            account = self._world.state.accounts.get(callback.account)
            if callback.era != self._world.era:
                self._finish(callback, "forgotten by a reset")
            elif account is None or not account.callback_url:
                self._finish(callback, "no callback address")
            elif self._world.clock.now() < account.paused_until:
                self._world.stats.callbacks["lost"] += 1
                self._finish(callback, "lost: pushes are paused after failures")
            else:
                await self._try(line, account, callback)

    async def _try(
        self, line: asyncio.Queue[Callback], account: Account, callback: Callback
    ) -> None:
        counts = self._world.stats.callbacks
        counts["retried" if callback.tries else "sent"] += 1
        callback.tries += 1
        problem, answer = await self._post(account, callback)
        if callback.era != self._world.era:
            self._finish(callback, "forgotten by a reset")
        elif not problem:
            counts["acknowledged"] += 1
            self._take_reply(account, callback, answer)
        elif callback.tries < TRIES:
            callback.outcome = f"to be retried: {problem}"
            self._world.hub.changed()
            pause = account.settings.callback_retry_seconds
            asyncio.get_running_loop().call_later(pause, line.put_nowait, callback)
        else:
            self._give_up(account, callback, problem)

    async def _post(self, account: Account, callback: Callback) -> tuple[str, str]:
        """(what went wrong, the answer)"""
        if callback.signed is None or account.settings.retries_resigned:
            # Real time, whatever the sandbox's clock says: receivers refuse old timestamps.
            callback.signed = str(int(time.time())), secrets.token_hex(8)
        envelope = seal(account, callback.openid, callback.xml, *callback.signed)
        timeout = aiohttp.ClientTimeout(total=account.settings.callback_timeout_seconds)
        try:
            async with self._session.post(
                account.callback_url,
                params=envelope.query,
                data=envelope.body.encode(),
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                answer = await response.text(errors="replace")
        except TRANSPORT_ERRORS as error:
            return type(error).__name__, ""
        return ("", answer) if response.status == 200 else (f"HTTP {response.status}", "")

    def _take_reply(self, account: Account, callback: Callback, answer: str) -> None:
        fan = account.fans.get(callback.openid)
        try:
            reply = open_reply(account, answer)
        except BadReply as error:
            self._apologise(account, callback)
            self._finish(callback, f"bad reply: {error}")
            return
        if reply is not None and account.kind is Kind.WECOM_APP:
            letters.take_reply(self._world, account, callback, reply)
        elif reply is not None and fan is not None and callback.awaits_reply:
            self._world.deliver(account, fan, _as_message(self._world, account, fan, reply))
        self._finish(callback, "acknowledged")

    def _give_up(self, account: Account, callback: Callback, problem: str) -> None:
        self._world.stats.callbacks["failed"] += 1
        if account.settings.mark_fail:
            account.paused_until = self._world.clock.now() + PAUSE_SECONDS
        self._apologise(account, callback)
        self._finish(callback, f"failed: {problem}")

    def _apologise(self, account: Account, callback: Callback) -> None:
        """Only who wrote or tapped is waiting for something."""
        fan = account.fans.get(callback.openid)
        if fan is not None and callback.event in {"text", "CLICK"}:
            self._world.say(account, fan, "notice", APOLOGY)

    def _finish(self, callback: Callback, outcome: str) -> None:
        callback.outcome = outcome
        callback.done.set()
        self._world.hub.changed()


def _question(account: Account, echo: str) -> tuple[URL, float]:
    """The address that the console asks when it is saved, and for how many seconds it waits."""
    timestamp, nonce = str(int(time.time())), secrets.token_hex(8)
    url = URL(account.callback_url)
    if account.kind is not Kind.WECOM_APP:
        signed = signature(account.token, timestamp, nonce)
        query = {"signature": signed, "timestamp": timestamp, "nonce": nonce, "echostr": echo}
        return url.update_query(query), account.settings.callback_timeout_seconds
    query = letters.echo(account, echo, timestamp, nonce)
    # A "+" goes out as it is: who decodes a form reads a space, and must know better.
    text = urlencode(query, safe="+")
    joint = "&" if url.raw_query_string else "?"
    return URL(f"{url}{joint}{text}", encoded=True), account.settings.echo_timeout_seconds


def _as_message(world: World, account: Account, fan: Fan, reply: Json) -> Message:
    kind, content, extra = _shown(reply)
    return Message(
        msgid=world.next_id(),
        account=account.name,
        openid=fan.openid,
        kind=kind,
        at=world.clock.now(),
        content=content,
        extra=extra,
    )


def _shown(reply: Json) -> tuple[str, str, Json]:
    """Kind, text and the rest of a passive reply, as the chat shows it."""
    kind = str(reply["MsgType"])
    if kind == "news":
        items = (reply.get("Articles") or {}).get("item") or []
        items = items if isinstance(items, list) else [items]
        return kind, "", {"articles": [_article(one) for one in items if isinstance(one, dict)]}
    if kind == "transfer_customer_service":
        return "notice", "已转接人工客服", {}
    inside = reply.get({"image": "Image", "voice": "Voice", "video": "Video"}.get(kind, "Music"))
    if kind == "text" or not isinstance(inside, dict):
        return kind, str(reply.get("Content") or ""), {}
    extra = {
        "media_id": inside.get("MediaId") or "",
        "title": inside.get("Title") or "",
        "url": inside.get("MusicUrl") or "",
    }
    return kind, "", extra


def _article(item: Json) -> Json:
    names = {"title": "Title", "description": "Description", "picurl": "PicUrl", "url": "Url"}
    return {ours: item.get(theirs) for ours, theirs in names.items()}


def _parse(xml: str) -> Json:
    try:
        parsed = xmltodict.parse(xml)
    except (ExpatError, ValueError) as error:
        raise BadReply("the reply is not XML") from error
    root = parsed.get("xml")
    if not isinstance(root, dict):
        raise BadReply("the reply has no <xml> with fields")
    return root
