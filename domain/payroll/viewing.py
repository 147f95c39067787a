"""Looking at slips and confirming them. Every look is audited, a stranger's try too."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from core.errors import NotFound
from domain.audit import service as audit
from domain.directory.access import Actor, Permission
from domain.payroll.errors import PayslipNotYours
from domain.payroll.models import Payslip


def open_payslip(actor: Actor, payslip_id: int) -> Payslip:
    """Look at one's own slip: noted as read, and audited. A stranger's try is audited too."""
    with transaction() as session:
        payslip = own_payslip(session, actor, payslip_id)
        if payslip is not None:
            payslip.read_at = payslip.read_at or utc_now()
            audit.record(session, actor, "payroll.payslip.opened", payslip)
        else:
            audit_refusal(session, actor, payslip_id)
    if payslip is None:
        raise PayslipNotYours
    return payslip


def confirm_payslip(actor: Actor, payslip_id: int) -> None:
    """ "I have read it and agree." Twice is once."""
    with transaction() as session:
        payslip = own_payslip(session, actor, payslip_id)
        if payslip is not None and payslip.confirmed_at is None:
            payslip.confirmed_at = utc_now()
            audit.record(session, actor, "payroll.payslip.confirmed", payslip)
        elif payslip is None:
            audit_refusal(session, actor, payslip_id)
    if payslip is None:
        raise PayslipNotYours


def look_at_payslip(actor: Actor, payslip_id: int) -> Payslip:
    """HR looks at one slip as its employee will see it: audited, and not noted as read."""
    actor.require(Permission.PAYROLL_READ)
    with transaction() as session:
        payslip = session.scalar(
            select(Payslip).where(Payslip.id == payslip_id, Payslip.visible_to(actor))
        )
        if payslip is None:
            raise NotFound
        audit.record(session, actor, "payroll.payslip.looked_at", payslip)
    return payslip


def own_payslip(session: Session, actor: Actor, payslip_id: int) -> Payslip | None:
    """A published slip of the actor's own, locked; None for anybody else's."""
    return session.scalar(
        select(Payslip)
        .where(
            Payslip.id == payslip_id,
            Payslip.employee_id.in_(actor.employee_ids),
            Payslip.published_at.is_not(None),
        )
        .with_for_update()
    )


def audit_refusal(session: Session, actor: Actor, payslip_id: int) -> None:
    payslip = session.get(Payslip, payslip_id)
    if payslip is not None:
        audit.record(session, actor, "payroll.payslip.refused", payslip)
