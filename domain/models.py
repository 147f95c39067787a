"""Every table of the domain in one import: for migrations, and for whoever creates tables."""

from domain.audit.models import AuditEvent
from domain.directory.models import (
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
    MessageTemplate,
    Org,
    User,
    UserRole,
)
from domain.inbox.models import InboxEvent
from domain.payroll.models import (
    HeldRow,
    PayrollBatch,
    Payslip,
    PayslipQuestion,
    QuestionMessage,
)
from domain.pushes.models import Campaign, Push, Unreachable

__all__ = [
    "AuditEvent",
    "Campaign",
    "ChannelAccount",
    "Employee",
    "EmployeeBinding",
    "HeldRow",
    "Identity",
    "InboxEvent",
    "MessageTemplate",
    "Org",
    "PayrollBatch",
    "Payslip",
    "PayslipQuestion",
    "Push",
    "QuestionMessage",
    "Unreachable",
    "User",
    "UserRole",
]
