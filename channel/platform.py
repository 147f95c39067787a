"""The ground of both platforms' clients: a token in, one exchange, an answer or an error out.

Paths and bodies are wechatpy's where it is right (a test holds them side by side). Its session,
token cache, retry (without end) and error handling (a web page passes as an answer) are not used.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import requests
from pydantic import Field

from channel import budget
from channel.alarms import note_alarm
from channel.answers import Answer, CursorPage, read
from channel.breaker import open_after, refuse_while_open
from channel.budget import Caller, Priority
from channel.calls import counted
from channel.limits import COUNTED_PER_PERSON
from channel.retries import MOST_REPEATS, Reaction, delay_seconds, is_worth_repeating, reaction_to
from channel.tokens import FetchedToken, TokenKind, TokenStore
from channel.wechat.errors import TOKEN_REFUSED, WeChatError, WeChatUnreachable
from channel.wechat.transport import Download, File, Json, Request, Send, download, exchange
from domain.directory.accounts import ChannelAccountCredentials

Params = Mapping[str, str]
Body = Mapping[str, Any]
T = TypeVar("T")
P = TypeVar("P", bound=Answer)
C = TypeVar("C", bound=CursorPage)

SIGN_IN_SECONDS = 4


class TokenAnswer(Answer):
    access_token: str = Field(repr=False, min_length=1)
    expires_in: int


class TicketAnswer(Answer):
    ticket: str = Field(repr=False, min_length=1)
    expires_in: int


class PlatformClient(ABC):
    """One account's API. Cheap to make; ``http`` and ``tokens`` are shared by the process.

    ``priority`` decides what part of the outgoing budget its calls may use up.
    """

    def __init__(
        self,
        account: ChannelAccountCredentials,
        http: requests.Session,
        tokens: TokenStore,
        api_url: str,
        priority: Priority = Priority.NOTICE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account, self._http, self._tokens = account, http, tokens
        self._api_url = api_url.rstrip("/")
        self._priority, self._sleep = priority, sleep
        self._caller = Caller(account.kind, account.appid, account.agentid or "")

    @abstractmethod
    def _fetch_access_token(self) -> FetchedToken:
        """Ask the platform; everybody else takes the token from the ``TokenStore``."""

    # --- what many calls at once are made of (``bulk.py``) -----------------------------------

    @property
    def account_id(self) -> int:
        return self._account.id

    def access_token(self) -> str:
        """A usable token; the two errors of a client when there is none."""
        return self._access_token()

    def drop_token(self, token: str) -> None:
        """The platform refused exactly this one."""
        self._tokens.invalidate(self._account.id, TokenKind.ACCESS, token)

    def take_some(self, path: str, wanted: int) -> int:
        """Count up to ``wanted`` calls; how many are granted. BudgetExhausted when none is."""
        return budget.take(self._caller, path, self._priority, wanted)

    def note_refusal(self, path: str, errcode: int) -> Reaction:
        """Keep in mind what a refusal means for all other calls; what to do about it."""
        reaction = reaction_to(self._account.kind, errcode)
        match reaction:
            case Reaction.WAIT if path not in COUNTED_PER_PERSON:
                budget.block(self._account.appid, path)
            case Reaction.ALARM:
                note_alarm(self._account.id, path, errcode)
            case _:
                pass
        return reaction

    # --- what the calls are made of ---------------------------------------------------------

    def _get(self, path: str, params: Params | None = None) -> Json:
        """Read something."""
        return self._ask(Request("GET", path, params or {}, is_safe=True), exchange)

    def _look_up(self, path: str, body: Body) -> Json:
        """Read something that is asked for with a body."""
        return self._ask(Request("POST", path, {}, body, is_safe=True), exchange)

    def _change(self, path: str, body: Body, *, is_safe: bool = False) -> Json:
        """Change or send something. ``is_safe``: done twice, it does no more than once."""
        return self._ask(Request("POST", path, {}, body, is_safe=is_safe), exchange)

    def _upload(self, path: str, params: Params, file: File) -> Json:
        return self._ask(Request("POST", path, params, file=file), exchange)

    def _download(self, path: str, params: Params, body: Body | None = None) -> Download:
        """Bytes, or what the platform says instead of them."""
        method = "GET" if body is None else "POST"
        return self._ask(Request(method, path, params, body, is_safe=True), download)

    def _ask_for_sign_in(self, path: str, params: Params) -> Json:
        """A person looks at an empty page meanwhile, and holds one of our web threads."""
        request = Request("GET", path, params, read_seconds=SIGN_IN_SECONDS)
        return self._ask(request, exchange)

    def _ask_with_secret(self, request: Request) -> Json:
        """Without an access token; nothing is asked while the account's breaker is open."""
        refuse_while_open(self._account.id)
        try:
            return self._exchange(request, exchange)
        except WeChatError as error:
            open_after(self._account.id, error.errcode)
            if error.errcode in TOKEN_REFUSED:  # here it is the secret, which nobody can refresh
                note_alarm(self._account.id, request.path, error.errcode)
            raise

    def _walk(self, path: str, page: type[C], body: Body) -> Iterator[C]:
        """Page after page of what is asked for with a body and a cursor."""

        def ask(cursor: str) -> C:
            return read(page, self._look_up(path, {**body, "cursor": cursor}))

        return self._pages(ask, lambda page: page.next_cursor)

    def _pages(self, ask: Callable[[str], P], next_of: Callable[[P], str]) -> Iterator[P]:
        """Page after page; ends at an empty cursor, or at one that was there before."""
        cursor, seen = "", {""}
        while True:
            page = ask(cursor)
            yield page
            cursor = next_of(page)
            if not cursor or cursor in seen:
                return
            seen.add(cursor)

    # --- beneath ----------------------------------------------------------------------------

    def _ask(self, request: Request, send: Send[T]) -> T:
        repeats = 0
        while True:
            try:
                return self._with_token(request, send)
            except WeChatError as error:
                worth = is_worth_repeating(error.errcode, is_safe=request.is_safe)
                if not worth or repeats == MOST_REPEATS:
                    raise
            repeats += 1
            self._sleep(delay_seconds(repeats))

    def _with_token(self, request: Request, send: Send[T]) -> T:
        """An exchange with our access token; once more with another when that one is refused."""
        token = self._access_token()
        try:
            return self._exchange(request.with_token(token), send)
        except WeChatError as error:
            if error.errcode not in TOKEN_REFUSED:
                raise
        self._tokens.invalidate(self._account.id, TokenKind.ACCESS, token)
        try:
            return self._exchange(request.with_token(self._access_token()), send)
        except WeChatError as error:
            if error.errcode in TOKEN_REFUSED:
                note_alarm(self._account.id, request.path, error.errcode)
            raise

    def _access_token(self) -> str:
        try:
            return self._tokens.get(self._account.id, TokenKind.ACCESS, self._fetch_access_token)
        except WeChatUnreachable as error:
            error.may_have_arrived = False  # what the token was wanted for has not been sent
            raise

    def _exchange(self, request: Request, send: Send[T]) -> T:
        self.take_some(request.path, 1)
        try:
            with counted(request.path):
                return send(self._http, self._api_url, request)
        except WeChatError as error:
            self.note_refusal(request.path, error.errcode)
            raise
