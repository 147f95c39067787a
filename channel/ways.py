"""How a push leaves by each route of the ladder: the call, its body, what its answer means."""

import asyncio
import json
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from jinja2 import TemplateError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from channel.alarms import note_alarm_hourly
from channel.budget import Priority
from channel.bulk import Attempt, Bulk
from channel.caps import MEMBER, NUMBER, MemberFull, take_sms
from channel.clients import miniprogram_client, official_account_client, wecom_client
from channel.links import entry_url
from channel.message_texts import TITLES, compose, in_brief, in_words
from channel.platform import PlatformClient
from channel.retries import Reaction
from channel.sms import (
    DAILY_LIMIT,
    GOOD_FOR,
    Accepted,
    NotTaken,
    Refused,
    Sms,
    SmsUnreachable,
    sms_gateway,
)
from channel.template_fields import FieldRefused
from channel.template_sync import ask_for_sync
from channel.wechat.miniprogram import SUBSCRIPTION_SEND, MiniprogramMessage
from channel.wechat.outgoing import TEMPLATE_SEND, TemplateMessage
from channel.wechat.transport import Json
from channel.wecom.outgoing import MESSAGE_SEND, Receivers, Text
from core.clock import utc_now
from core.log import logger
from core.security import blind_index
from core.settings import get_settings
from domain.directory.channel_accounts import channel_account, title_of
from domain.directory.errors import AccountUnknown
from domain.directory.message_templates import find_template, has_lost_template
from domain.pushes.claims import ClaimedChunk, PushToSend
from domain.pushes.models import MessageKind, PushStatus, Route
from domain.pushes.outcomes import PushOutcome
from domain.pushes.policy import REPEATABLE_FOR, quiet_until

BAD_TEMPLATE = "template"
NO_SUCH_TEMPLATE, VALUE_REFUSED = 40037, 47003
ABOUT_THE_TEMPLATE = frozenset({NO_SUCH_TEMPLATE, VALUE_REFUSED})
# A dead template is looked at again so soon; nobody is passed on to a text message meanwhile.
TEMPLATE_WAIT = timedelta(minutes=10)
NOT_A_MEMBER = "not-a-member"
NO_ACCOUNT = "no-account"
QUIET = "quiet-hours"
SMS_CAPPED, SMS_REFUSED, SMS_OFF = "sms-capped", "sms-refused", "sms-off"
SMS_BUSY, SMS_UNCOUNTED = "sms-busy", "sms-uncounted"
# WeCom drops the same message to the same member for so long.
DROP_REPEATS = timedelta(minutes=30)
# Nobody gets a text message while nobody counts them.
UNCOUNTED_WAIT = timedelta(minutes=1)

PRIORITIES = {
    MessageKind.PAYSLIP_READY: Priority.PAYSLIP,
    MessageKind.PAYSLIP_REMINDER: Priority.NOTICE,
    MessageKind.QUESTION_ANSWERED: Priority.PAYSLIP,
}


class TemplateMissing(Exception):
    """The account has no template that carries this message."""


class TemplateGone(Exception):
    """It had one: a person has to decide what becomes of all who wait for this message."""


class NoGateway(Exception):
    """The campaign has a step for text messages, and its gateway was switched off since."""


class Way(ABC):
    """Made before the sending begins, with whatever it needs of the database."""

    @abstractmethod
    async def send(self, push: PushToSend, attempt: Attempt) -> PushOutcome:
        """What was said about a push that was taken; raises the errors of a client otherwise."""

    @abstractmethod
    def note_refusal(self, errcode: int) -> Reaction:
        """Keep in mind what it means for all others."""


_in_json = json.JSONEncoder(ensure_ascii=False).encode


class _ApiWay(Way):
    """A platform's API: one call a push."""

    path: str

    def __init__(self, client: PlatformClient, base_url: str, claimed: ClaimedChunk) -> None:
        self._client, self._base_url, self._claimed = client, base_url, claimed
        self._bulk: Bulk | None = None
        self._alarms: set[int] = set()

    async def send(self, push: PushToSend, attempt: Attempt) -> PushOutcome:
        return await self._post(push, self._body(push), attempt)

    async def _post(self, push: PushToSend, body: dict[str, Any], attempt: Attempt) -> PushOutcome:
        if self._bulk is None:
            calls = sum(one.route is push.route for one in self._claimed.pushes)
            self._bulk = Bulk(self._client, self._base_url, self.path, calls)
        return self._outcome(await self._bulk.post(_in_json(body).encode(), attempt))

    def note_refusal(self, errcode: int) -> Reaction:
        if errcode in ABOUT_THE_TEMPLATE and errcode not in self._alarms:
            self._alarms.add(errcode)
            account_id = self._client.account_id
            note_alarm_hourly(account_id, f"{self.path}#{self._claimed.kind}", errcode)
            if errcode == NO_SUCH_TEMPLATE:
                ask_for_sync(account_id)
        return self._client.note_refusal(self.path, errcode)

    @abstractmethod
    def _body(self, push: PushToSend) -> dict[str, Any]: ...

    def _outcome(self, answer: Json) -> PushOutcome:
        msgid = answer.get("msgid")
        return PushOutcome(PushStatus.SENT, msgid=None if msgid is None else str(msgid))


class TemplateWay(_ApiWay):
    path = TEMPLATE_SEND

    def __init__(self, claimed: ClaimedChunk) -> None:
        self._account = channel_account(claimed.accounts[Route.TEMPLATE])
        self._template_id, self._values = _template(self._account.id, self.path, claimed)
        # Made once: the number of each is put in its place.
        self._url = entry_url(self._account, claimed.path).replace(quote("{}"), "{}")
        client = official_account_client(self._account, PRIORITIES[claimed.kind])
        super().__init__(client, get_settings().wechat_api_url, claimed)

    def _body(self, push: PushToSend) -> dict[str, Any]:
        return TemplateMessage(
            template_id=self._template_id,
            values=self._values,
            url=self._url.replace("{}", str(push.subject_id)),
            client_msg_id=push.client_msg_id,
        ).body(push.address)


class MiniprogramWay(_ApiWay):
    """Reaches who agreed to the template; its page is the mini-program's first."""

    path = SUBSCRIPTION_SEND

    def __init__(self, claimed: ClaimedChunk) -> None:
        account = channel_account(claimed.accounts[Route.MINIPROGRAM])
        self._template_id, self._values = _template(account.id, self.path, claimed)
        client = miniprogram_client(account, PRIORITIES[claimed.kind])
        super().__init__(client, get_settings().wechat_api_url, claimed)

    def _body(self, push: PushToSend) -> dict[str, Any]:
        return MiniprogramMessage(template_id=self._template_id, values=self._values).body(
            push.address
        )


class WecomWay(_ApiWay):
    """A text of the app. Our pages know an employee by their WeChat, so no link is in it.

    What is too much for a member WeCom accepts and drops, so it is postponed here.
    """

    path = MESSAGE_SEND

    def __init__(self, claimed: ClaimedChunk) -> None:
        account = channel_account(claimed.accounts[Route.WECOM])
        words = in_words(claimed.kind, claimed.params, claimed.requested_at, claimed.campaign_id)
        self._text = Text(words)
        self._wecom = wecom_client(account, PRIORITIES[claimed.kind])
        # Counting needs a key of the database, to which no connection is open while it sends.
        blind_index(MEMBER, "")
        super().__init__(self._wecom, get_settings().wecom_api_url, claimed)

    async def send(self, push: PushToSend, attempt: Attempt) -> PushOutcome:
        try:
            body = await asyncio.to_thread(self._body, push)
        except MemberFull as full:
            later = utc_now() + timedelta(seconds=full.retry_after_seconds)
            return PushOutcome(PushStatus.CREATED, reason=full.code, due_at=later)
        return await self._post(push, body, attempt)

    def _body(self, push: PushToSend) -> dict[str, Any]:
        return self._wecom.counted_body(
            Receivers([push.address]),
            self._text,
            drop_repeats_for_seconds=int(DROP_REPEATS.total_seconds()),
        )

    def _outcome(self, answer: Json) -> PushOutcome:
        if answer.get("invaliduser") or answer.get("unlicenseduser"):
            return PushOutcome(PushStatus.PERMANENT_FAILURE, errcode=0, reason=NOT_A_MEMBER)
        return super()._outcome(answer)


class SmsWay(Way):
    """A text message by the gateway of the settings: by day, and not too many to one number."""

    def __init__(self, claimed: ClaimedChunk) -> None:
        settings = get_settings()
        gateway = sms_gateway(settings)
        if gateway is None:
            raise NoGateway
        self._gateway, self._cap = gateway, settings.sms_daily_cap
        self._claimed_at = claimed.at
        self._text = in_brief(claimed.kind, claimed.params, title_of(claimed.channel_account_id))
        # Made before the sending, because it may ask the database for its key.
        self._numbers = {
            push.id: blind_index(NUMBER, push.address)
            for push in claimed.pushes
            if push.route is Route.SMS
        }
        self._stopped: PushOutcome | None = None

    async def send(self, push: PushToSend, attempt: Attempt) -> PushOutcome:
        now = utc_now()
        not_now = self._stopped or self._not_now(push, now)
        not_counted = not_now or await asyncio.to_thread(self._count, push, now)
        if not_counted:
            return not_counted
        sms = Sms(push.client_msg_id, push.address, self._text, now + GOOD_FOR)
        attempt.begin()
        answer = await self._gateway.send(sms)
        match answer:
            case Accepted(message_id):
                return PushOutcome(PushStatus.SENT, msgid=message_id)
            case Refused(code):
                logger.info("sms refused", extra={"push_id": push.id, "why": code})
                reason = SMS_CAPPED if code == DAILY_LIMIT else SMS_REFUSED
                return PushOutcome(PushStatus.PERMANENT_FAILURE, reason=reason)
            case NotTaken(why, wait):
                return self._stop(SMS_BUSY, why, wait)
        raise SmsUnreachable(answer.why, may_have_arrived=answer.may_have_arrived)

    def note_refusal(self, errcode: int) -> Reaction:
        """A gateway has no errcodes."""
        return Reaction.REFUSE

    def _not_now(self, push: PushToSend, now: datetime) -> PushOutcome | None:
        morning = quiet_until(Route.SMS, now)
        if push.in_doubt_since < self._claimed_at:
            # By the morning the gateway has forgotten what it may have sent.
            is_old = now - push.in_doubt_since >= REPEATABLE_FOR[Route.SMS]
            lost = PushOutcome(PushStatus.UNKNOWN, reason=SmsUnreachable.code)
            return lost if morning or is_old else None
        return PushOutcome(PushStatus.CREATED, reason=QUIET, due_at=morning) if morning else None

    def _count(self, push: PushToSend, now: datetime) -> PushOutcome | None:
        if self._stopped:  # while this push waited for its thread
            return self._stopped
        try:
            is_free = take_sms(self._numbers[push.id], push.client_msg_id, self._cap, now)
        except RedisError as error:
            return self._stop(SMS_UNCOUNTED, type(error).__name__, UNCOUNTED_WAIT)
        return None if is_free else PushOutcome(PushStatus.PERMANENT_FAILURE, reason=SMS_CAPPED)

    def _stop(self, reason: str, why: str, wait: timedelta) -> PushOutcome:
        """No more text messages of this chunk for now; nobody's tries are used up by it."""
        if self._stopped is None:
            logger.warning("text messages wait", extra={"reason": reason, "why": why})
        outcome = PushOutcome(PushStatus.CREATED, reason=reason, due_at=utc_now() + wait)
        self._stopped = self._stopped or outcome
        return self._stopped


def _template(account_id: int, path: str, claimed: ClaimedChunk) -> tuple[str, dict[str, str]]:
    """Its id and the values of its fields. What WeChat would refuse of every single message, bank
    operations see as one alarm with the errcode that it would have had."""
    template = find_template(account_id, claimed.kind.value)
    if template is None:
        note_alarm_hourly(account_id, f"{path}#{claimed.kind}", NO_SUCH_TEMPLATE)
        is_lost = has_lost_template(account_id, claimed.kind.value, TITLES[claimed.kind])
        raise TemplateGone if is_lost else TemplateMissing
    try:
        values = compose(claimed.kind, claimed.params, claimed.requested_at, template.choices)
    except FieldRefused as refused:
        note_alarm_hourly(account_id, f"{path}#{claimed.kind}.{refused.field}", VALUE_REFUSED)
        raise
    return template.template_id, values


def wait_for_template(route: Route) -> PushOutcome:
    """Everybody else on this step waits too, and nobody's tries are used up."""
    later = utc_now() + TEMPLATE_WAIT
    held_until = later if route is Route.TEMPLATE else None
    return PushOutcome(
        PushStatus.CREATED,
        reason=BAD_TEMPLATE,
        due_at=later,
        held_until=held_until,
        holds_kind_only=True,
    )


WAYS: dict[Route, type[TemplateWay | MiniprogramWay | WecomWay | SmsWay]] = {
    Route.TEMPLATE: TemplateWay,
    Route.MINIPROGRAM: MiniprogramWay,
    Route.WECOM: WecomWay,
    Route.SMS: SmsWay,
}


def way_of(claimed: ClaimedChunk, route: Route) -> Way | PushOutcome:
    """The way of a route, or what becomes of all its pushes when there is none."""
    try:
        return WAYS[route](claimed)
    except AccountUnknown as error:  # switched off: it may be switched on again
        return PushOutcome(PushStatus.TEMPORARY_FAILURE, reason=error.code)
    except TemplateGone:
        return wait_for_template(route)
    except (TemplateError, TemplateMissing, FieldRefused):
        return PushOutcome(PushStatus.PERMANENT_FAILURE, reason=BAD_TEMPLATE)
    except NoGateway:
        return PushOutcome(PushStatus.PERMANENT_FAILURE, reason=SMS_OFF)
    except (SQLAlchemyError, RedisError) as error:  # nothing has gone out
        extra = {"route": route.value, "why": type(error).__name__}
        logger.warning("way not prepared", extra=extra)
        return PushOutcome(PushStatus.TEMPORARY_FAILURE)
