"""Every table of the domain in one import: for migrations, and for whoever creates tables."""

from domain.audit.models import AuditEvent
from domain.directory.models import (
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
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
from domain.pushes.models import Push

__all__ = [
    "AuditEvent",
    "ChannelAccount",
    "Employee",
    "EmployeeBinding",
    "HeldRow",
    "Identity",
    "InboxEvent",
    "Org",
    "PayrollBatch",
    "Payslip",
    "PayslipQuestion",
    "Push",
    "QuestionMessage",
    "User",
    "UserRole",
]
