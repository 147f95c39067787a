"""What the gatehouse does when WeChat tells of followers, scans and delivered messages."""

from datetime import timedelta
from functools import lru_cache

from channel import desk_signin
from channel.clients import official_account_client
from channel.events import TryLater, listen_to
from channel.links import entry_url
from channel.wechat.messages import (
    CodeScanned,
    FollowerLeft,
    FollowerSubscribed,
    TemplateSendFinished,
)
from core.clock import utc_now
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.errors import InvitationRefused
from domain.directory.queries import find_user_actor
from domain.directory.service import accept_invitation, note_follower
from domain.pushes.reports import note_return, record_delivery

REPORT_WAITS = timedelta(minutes=10)
INVITATION_SCENE = "invite-"
NOT_A_USER = "这个微信还没有开通工作台，请联系银行客户经理开通。"
WELCOME = "您已开通工作台，请在电脑上打开登录页，用微信扫码登录。"
CONFIRM = '您正在登录工作台。是本人请<a href="{link}">点此确认登录</a>；不是本人，请不要点击。'


@lru_cache(maxsize=1)
def listen() -> None:
    """Register every listener below, once in a process."""
    listen_to(FollowerSubscribed, on_subscribed)
    listen_to(FollowerLeft, on_left)
    listen_to(CodeScanned, on_scanned)
    listen_to(TemplateSendFinished, on_template_finished)


def on_subscribed(account: ChannelAccountCredentials, event: FollowerSubscribed) -> None:
    identity_id = note_follower(account, event.openid, is_follower=True, at=event.sent_at)
    note_return(identity_id)
    _follow_scene(account, event.openid, identity_id, event.scene)


def on_left(account: ChannelAccountCredentials, event: FollowerLeft) -> None:
    note_follower(account, event.openid, is_follower=False, at=event.sent_at)


def on_scanned(account: ChannelAccountCredentials, event: CodeScanned) -> None:
    identity_id = note_follower(account, event.openid, is_follower=True, at=event.sent_at)
    _follow_scene(account, event.openid, identity_id, event.scene)


def on_template_finished(account: ChannelAccountCredentials, event: TemplateSendFinished) -> None:
    is_known = record_delivery(
        account.id, event.msgid, is_delivered=event.ok, reason=event.reason or None
    )
    # The report may overtake the answer to the call that it reports on. One that nobody claims
    # for so long belongs to a message that was not ours.
    if not is_known and utc_now() - event.sent_at < REPORT_WAITS:
        raise TryLater


def _follow_scene(
    account: ChannelAccountCredentials, openid: str, identity_id: int, scene: str
) -> None:
    if scene.startswith(desk_signin.SCENE):
        _desk_scanned(account, openid, identity_id, scene.removeprefix(desk_signin.SCENE))
    elif scene.startswith(INVITATION_SCENE):
        _invitation_scanned(account, openid, identity_id, scene.removeprefix(INVITATION_SCENE))


def _desk_scanned(
    account: ChannelAccountCredentials, openid: str, identity_id: int, code: str
) -> None:
    client = official_account_client(account)
    user = find_user_actor(identity_id)
    if user is None:
        client.send_custom_text(openid, NOT_A_USER)
    elif desk_signin.note_scan(code, user.id, identity_id):
        link = entry_url(account, f"/me/desk/{code}")
        client.send_custom_text(openid, CONFIRM.format(link=link))


def _invitation_scanned(
    account: ChannelAccountCredentials, openid: str, identity_id: int, code: str
) -> None:
    try:
        accept_invitation(identity_id, code)
        text = WELCOME
    except InvitationRefused as refusal:
        # Told again after a lost message, the invitation is used: by this very person.
        text = WELCOME if find_user_actor(identity_id) else refusal.sentence
    official_account_client(account).send_custom_text(openid, text)
