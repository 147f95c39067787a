"""What is heard after sending: the platform's own report, a person who can be reached again."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from domain.directory.models import EmployeeBinding
from domain.pushes.addresses import forget_refusals, remember
from domain.pushes.campaigns import Chunk
from domain.pushes.ledger import send_after_commit, tried_entry
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Push, PushStatus, Route
from domain.pushes.policy import NOT_BOUND, REPORTING, STILL_NEWS, expiry, is_mended, next_route

NOT_FOLLOWING, WRONG_OPENID = "not-following", "openid"
MENDED_BY_FOLLOWING = frozenset({NOT_FOLLOWING, NOT_BOUND})
# Perhaps another WeChat than before.
MENDED_BY_BINDING = MENDED_BY_FOLLOWING | {WRONG_OPENID}


def record_delivery(
    channel_account_id: int, msgid: int, *, is_delivered: bool, reason: str | None
) -> bool:
    """Write the platform's own report. False when no push carries this message id (yet)."""
    now = utc_now()
    with transaction() as session:
        row = session.execute(
            select(Push.id, Push.campaign_id)
            .join(Campaign, Campaign.id == Push.campaign_id)
            .where(
                Push.msgid == str(msgid),
                Push.route.in_(REPORTING),
                Campaign.channel_account_id == channel_account_id,
            )
        ).first()
        if row is None:
            return False
        campaigns = {} if is_delivered else _locked(session, [row.campaign_id])
        push = session.get_one(Push, row.id, with_for_update=True)
        if push.status is not PushStatus.SENT:
            return True
        if is_delivered:
            push.status, push.delivered_at = PushStatus.DELIVERED, now
        else:
            _fall_back(session, push, campaigns[push.campaign_id], reason, now)
    return True


def _locked(session: Session, campaign_ids: Collection[int]) -> dict[int, Campaign]:
    """Campaigns before their pushes, as whoever ends one locks them: none ends meanwhile."""
    query = select(Campaign).where(Campaign.id.in_(campaign_ids)).order_by(Campaign.id)
    return {one.id: one for one in session.scalars(query.with_for_update())}


def _fall_back(
    session: Session, push: Push, campaign: Campaign, reason: str | None, now: datetime
) -> None:
    """Accepted, and then not delivered: the next step of the ladder is due."""
    identity_id = session.scalar(
        select(EmployeeBinding.identity_id).where(
            EmployeeBinding.employee_id == push.employee_id,
            EmployeeBinding.channel_account_id == campaign.channel_account_id,
        )
    )
    remember(session, [(identity_id, reason)], campaign.kind, now)
    push.tried = [*(push.tried or ()), tried_entry(push.route, reason, None, now)]
    step = next_route(campaign.ladder, push.route)
    is_over = campaign.status is CampaignStatus.CANCELLED or campaign.expires_at <= now
    if step is None or is_over:
        push.status, push.reason = PushStatus.PERMANENT_FAILURE, reason
        return
    push.route, push.attempts, push.sent_at = step, 0, None
    _send_again(campaign, push, now)


def _send_again(campaign: Campaign, push: Push, now: datetime) -> None:
    push.status, push.due_at, push.reason = PushStatus.TEMPORARY_FAILURE, now, None
    if campaign.status is CampaignStatus.FINISHED:
        campaign.status, campaign.ended_at = CampaignStatus.RUNNING, None
    send_after_commit(Chunk(campaign.id, push.id, push.id))


def wake(session: Session, employee_ids: Sequence[int], mended: Collection[str]) -> None:
    """What could not be sent to these people for one of the reasons ``mended`` goes out now, under
    a new id: they have bound their WeChat, or follow again. Not so reminders: the notice that they
    remind of is sent by now, or was read."""
    now = utc_now()
    lost = (Push.employee_id.in_(employee_ids), Push.status == PushStatus.PERMANENT_FAILURE)
    ids = session.scalars(
        select(Campaign.id)
        .join(Push, Push.campaign_id == Campaign.id)
        .where(
            *lost,
            Campaign.created_at > now - STILL_NEWS,
            Campaign.status != CampaignStatus.CANCELLED,
            Campaign.kind != MessageKind.PAYSLIP_REMINDER,
        )
    ).all()
    if not ids:
        return
    campaigns = _locked(session, ids)
    pushes = select(Push).where(*lost, Push.campaign_id.in_(campaigns)).with_for_update()
    for push in session.scalars(pushes).all():
        campaign = campaigns[push.campaign_id]
        if not is_mended(campaign.ladder, push.route, push.reason, push.tried or (), mended):
            continue
        push.route, push.attempts, push.tried = Route(campaign.ladder[0]), 0, None
        push.resends, push.msgid, push.errcode = push.resends + 1, None, None
        push.sent_at = None
        campaign.expires_at = max(campaign.expires_at, expiry(campaign.ladder, now))
        _send_again(campaign, push, now)


def note_return(identity_id: int) -> None:
    """A person follows the account (again): what was refused before may reach them now."""
    with transaction() as session:
        employee_ids = session.scalars(
            select(EmployeeBinding.employee_id).where(EmployeeBinding.identity_id == identity_id)
        ).all()
        # Pushes before refusals, as who records an outcome locks them.
        wake(session, employee_ids, MENDED_BY_FOLLOWING)
        forget_refusals(session, identity_id)
