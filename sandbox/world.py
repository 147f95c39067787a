"""All that is true inside the sandbox. One event loop owns it, so nothing is locked."""

import asyncio
import base64
import hashlib
import secrets
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.clock import Clock
from sandbox.faults import Fault
from sandbox.live import Hub
from sandbox.names import name_of
from sandbox.state import Account, Fan, Kind, Message, Person, State
from sandbox.storage import Folder
from sandbox.wechat.library import LIBRARY, SUBSCRIPTIONS, template_from
from sandbox.wecom.state import Corp

REMEMBERED_CALLBACKS = 500
LATEST_MESSAGES = 40


@dataclass(slots=True)
class Stats:
    requests: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(
        default_factory=lambda: Counter(accepted=0, delivered=0, refused=0, duplicates=0)
    )
    wecom_messages: Counter[str] = field(
        default_factory=lambda: Counter(
            accepted=0, delivered=0, dropped=0, duplicates=0, refused=0, recalled=0
        )
    )
    callbacks: Counter[str] = field(
        default_factory=lambda: Counter(sent=0, acknowledged=0, retried=0, failed=0, lost=0)
    )


@dataclass(slots=True)
class Callback:
    """One thing the platform wants to tell an account, and how that went."""

    callback_id: int
    account: str
    openid: str
    event: str
    xml: str
    created_at: float
    awaits_reply: bool
    era: int = 0
    tries: int = 0
    outcome: str = "waiting"
    signed: tuple[str, str] | None = None  # timestamp and nonce, kept when retries are verbatim
    done: asyncio.Event = field(default_factory=asyncio.Event)


class World:
    def __init__(self, data_dir: Path | None = None) -> None:
        self.folder = Folder(data_dir) if data_dir else None
        self.state = self.folder.load() if self.folder else State()
        self.clock = Clock(self.state.clock_offset)
        self.hub = Hub()
        self.stats = Stats()
        self.faults: list[Fault] = []
        self.chats: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
        self.latest: deque[Message] = deque(maxlen=LATEST_MESSAGES)
        self.recent_sends: dict[tuple[str, str, str], tuple[float, int]] = {}
        self.busy: set[tuple[str, str]] = set()  # calls that do not bear another one beside them
        self.callbacks: deque[Callback] = deque(maxlen=REMEMBERED_CALLBACKS)
        # What people do must not wait behind thousands of results of template messages.
        self.from_people: asyncio.Queue[Callback] = asyncio.Queue()
        self.results: asyncio.Queue[Callback] = asyncio.Queue()
        self.era = 1  # a reset begins a new one; what is on its way from the old is dropped
        self.requests_seen = 0
        self.is_dirty = False
        self.is_closing = False
        self.unsaved: list[Message] = []
        self._files: dict[str, bytes] = {}
        every = self.state.accounts.values()
        self._by_appid = {one.appid: one for one in every if one.kind is not Kind.WECOM_APP}
        for message in self.folder.messages() if self.folder else ():
            self.chats[message.account, message.openid].append(message)
            if message.client_msg_id:
                self.remember_send(message)
            self.state.next_id = max(self.state.next_id, message.msgid + 1)

    # Accounts

    def official_accounts(self) -> list[Account]:
        every = self.state.accounts.values()
        return [account for account in every if account.kind is Kind.OFFICIAL_ACCOUNT]

    def official_account(self, appid: str) -> Account | None:
        found = self._by_appid.get(appid)
        return found if found and found.kind is Kind.OFFICIAL_ACCOUNT else None

    def token_owner(self, appid: str) -> Account | None:
        """Mini-programs have the token of official accounts."""
        return self._by_appid.get(appid)

    def apps(self, corpid: str) -> list[Account]:
        every = self.state.accounts.values()
        return [one for one in every if one.kind is Kind.WECOM_APP and one.appid == corpid]

    def corp(self, account: Account) -> Corp:
        """What the apps of one corp share."""
        known = self.state.corps.get(account.appid)
        if known is None:
            known = self.state.corps[account.appid] = Corp(account.appid)
        return known

    def keep_account(self, account: Account) -> None:
        old = self.state.accounts.get(account.name)
        if old is not None:
            self._by_appid.pop(old.appid, None)
        self.state.accounts[account.name] = account
        if account.kind is not Kind.WECOM_APP:
            self._by_appid[account.appid] = account
        if account.kind is Kind.OFFICIAL_ACCOUNT:
            account.original_id = account.original_id or f"gh_{_digest(account.appid).hex()[:12]}"
        elif account.kind is Kind.WECOM_APP:
            self.corp(account)
        self._choose_templates(account)
        self.is_dirty = True

    def _choose_templates(self, account: Account) -> None:
        if account.templates or account.kind is Kind.WECOM_APP:
            return
        chosen = SUBSCRIPTIONS if account.kind is Kind.MINIPROGRAM else LIBRARY
        templates = [template_from(account.appid, entry) for entry in chosen]
        account.templates = {one.template_id: one for one in templates}

    # People

    def add_person(self, name: str = "") -> Person:
        number = len(self.state.people) + 1
        person = Person(f"p{number}", name or name_of(number))
        self.state.people[person.person_id] = person
        self.is_dirty = True
        return person

    def fan_of(self, account: Account, person: Person) -> Fan:
        """The person as this account knows them; an openid is made at the first meeting."""
        openid = person.openids.get(account.name) or openid_for(account, person.person_id)
        return account.fans.get(openid) or self.introduce(account, person, openid)

    def introduce(self, account: Account, person: Person, openid: str) -> Fan:
        person.openids[account.name] = openid
        account.fans[openid] = Fan(openid=openid, person_id=person.person_id)
        self.is_dirty = True
        return account.fans[openid]

    # Chats

    def next_id(self) -> int:
        self.state.next_id += 1
        return self.state.next_id - 1

    def deliver(self, account: Account, fan: Fan, message: Message) -> None:
        """Put a message into the chat and let the person's phone know."""
        self.latest.append(message)
        if not message.from_person:
            fan.unread += 1
        self.keep_message(message)

    def keep_message(self, message: Message) -> None:
        self.chats[message.account, message.openid].append(message)
        if self.folder is not None:
            self.unsaved.append(message)
        self.is_dirty = True
        self.hub.changed()

    def remember_send(self, message: Message) -> None:
        """Against sending twice. The oldest come first, so that they are soon forgotten."""
        key = (message.account, message.openid, message.client_msg_id)
        self.recent_sends[key] = (message.at, message.msgid)

    def say(self, account: Account, fan: Fan, kind: str, content: str) -> None:
        """A plain sentence from the account, or a grey notice from WeChat itself."""
        at = self.clock.now()
        entry = Message(self.next_id(), account.name, fan.openid, kind, at, content=content)
        self.deliver(account, fan, entry)

    # Files

    def keep_file(self, name: str, data: bytes) -> None:
        if self.folder is None:
            self._files[name] = data
        else:
            self.folder.keep_file(name, data)

    def read_file(self, name: str) -> bytes:
        return self._files[name] if self.folder is None else self.folder.read_file(name)

    # Callbacks

    def call_back(
        self, account: Account, openid: str, event: str, xml: str, *, is_result: bool = False
    ) -> Callback | None:
        """Line a callback up; None when the account has no callback address."""
        if not account.callback_url:
            return None
        callback = Callback(
            self.next_id(),
            account.name,
            openid,
            event,
            xml,
            self.clock.now(),
            not is_result,
            self.era,
        )
        self.callbacks.append(callback)
        (self.results if is_result else self.from_people).put_nowait(callback)
        return callback

    # Keeping

    def save(self) -> None:
        if self.folder is None:
            return
        messages, self.unsaved = self.unsaved, []
        self.folder.append(messages)
        if self.is_dirty:
            self.is_dirty = False
            self.state.clock_offset = self.clock.offset
            self.folder.save(self.state)

    def reset(self) -> None:
        """Forget everything but the accounts and their switches."""
        self.era += 1
        accounts = self.state.accounts
        self.state = State(next_id=self.state.next_id)
        self._by_appid.clear()
        for old in accounts.values():
            self.keep_account(as_new(old))
        self.clock = Clock()
        self.stats = Stats()
        self.faults.clear()
        self.chats.clear()
        self.latest.clear()
        self.recent_sends.clear()
        self.callbacks.clear()
        self.unsaved.clear()
        self.busy.clear()
        self._files.clear()
        for queue in (self.from_people, self.results):
            while not queue.empty():
                queue.get_nowait()
        if self.folder is not None:
            self.folder.forget_messages()
            self.folder.forget_files()
        self.hub.changed()


def as_new(account: Account) -> Account:
    """The account as it was on its first day, with its keys and switches."""
    return Account(
        kind=account.kind,
        name=account.name,
        appid=account.appid,
        secret=account.secret,
        agentid=account.agentid,
        token=account.token,
        aes_key=account.aes_key,
        callback_url=account.callback_url,
        mode=account.mode,
        oauth_domain=account.oauth_domain,
        title=account.title,
        settings=account.settings,
    )


def openid_for(account: Account, seed: str) -> str:
    """28 characters as WeChat's are, different for each account, the same after a reset."""
    digest = _digest(f"{account.appid}:{seed}")
    return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


def unionid_for(person_id: str) -> str:
    return "u" + base64.urlsafe_b64encode(_digest(f"union:{person_id}")).decode()[:27]


def fresh_secret(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
