"""Looking at slips and confirming them. Every look is audited, a stranger's try too."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from domain.audit import service as audit
from domain.audit.refusals import strangers_noted
from domain.directory.access import Actor, Permission
from domain.payroll.errors import PayslipNotYours, SlipNotYours
from domain.payroll.models import Payslip


@strangers_noted
def open_payslip(actor: Actor, payslip_id: int) -> Payslip:
    """Look at one's own slip: noted as read, and audited."""
    with transaction() as session:
        payslip = own_payslip(session, actor, payslip_id)
        payslip.read_at = payslip.read_at or utc_now()
        audit.record(session, actor, "payroll.payslip.opened", payslip)
    return payslip


@strangers_noted
def confirm_payslip(actor: Actor, payslip_id: int) -> None:
    """ "I have read it and agree." Twice is once."""
    with transaction() as session:
        payslip = own_payslip(session, actor, payslip_id)
        if payslip.confirmed_at is None:
            payslip.confirmed_at = utc_now()
            audit.record(session, actor, "payroll.payslip.confirmed", payslip)


@strangers_noted
def look_at_payslip(actor: Actor, payslip_id: int) -> Payslip:
    """HR looks at one slip as its employee will see it: audited, and not noted as read."""
    actor.require(Permission.PAYROLL_READ)
    with transaction() as session:
        payslip = session.scalar(
            select(Payslip).where(Payslip.id == payslip_id, Payslip.visible_to(actor))
        )
        if payslip is None:
            raise SlipNotYours(Payslip, payslip_id)
        audit.record(session, actor, "payroll.payslip.looked_at", payslip)
    return payslip


def own_payslip(session: Session, actor: Actor, payslip_id: int) -> Payslip:
    """A published slip of the actor's own, locked."""
    payslip = session.scalar(
        select(Payslip)
        .where(
            Payslip.id == payslip_id,
            Payslip.employee_id.in_(actor.employee_ids),
            Payslip.published_at.is_not(None),
        )
        .with_for_update()
    )
    if payslip is None:
        raise PayslipNotYours(Payslip, payslip_id)
    return payslip
