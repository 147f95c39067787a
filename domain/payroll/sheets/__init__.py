"""Recognising payroll sheets: a file and a roster in, accepted and held rows out.

Pure functions: no database, no Flask, nothing is sent. ``check_sheet`` reads a file, ``recheck``
reads one held row again after HR corrected it, ``read_roster`` reads the list of people.

**Who is it?** (matching.py) A payslip shown to the wrong person cannot be taken back, so a row is
accepted only when its witnesses agree, and held otherwise.

* A *key* is an ID number, phone, staff number or bank card. The name alone is never enough.
* Accepted: the name agrees and at least one key does; or, without a name, two keys do.
* Every identifier in the row that is known to the roster must point to the same person, or the row
  is a CONFLICT: one key of somebody else outweighs any number of agreeing ones.
* A key that nobody has and that differs from the person's own is a CONFLICT when it is an ID
  number; a phone, staff number or card may have changed if the ID number, phone or staff number
  agrees (a warning says so). Between people of one name only the ID number can excuse it.
* A damaged key (digits lost by Excel, wrong check digit, half a phone) never counts as agreement.
  A wrong ID number holds the row; an ID number cut to 15 digits must at least begin like the
  person's own. If nothing else agrees, the damage is the reason for holding.
* Name and department agree, nobody else in the roster (active or left) has the name, and the whole
  sheet has no key column: accepted, because such sheets exist and two things agree. If the sheet
  has keys and this row's are blank, somebody is new: held.
* People who left count as namesakes, and rows for them are held. One person on two rows: both held.
* A number that more than three people "have" in the roster is a placeholder and ignored.

**How much?** (amounts.py, arithmetic.py) An amount is read exactly or not at all; nothing is
rounded but the noise of binary sums. A row must keep the sums that its sheet keeps.
"""

from .check import check_sheet
from .recheck import recheck
from .report import (
    AcceptedRow,
    Column,
    HeldRow,
    Item,
    Layout,
    Notice,
    Reason,
    Refusal,
    SheetLayout,
    SheetReport,
    SkippedRow,
    to_json,
)
from .roster import (
    Roster,
    RosterEntry,
    RosterProblem,
    RosterReport,
    RosterRow,
    read_roster,
)

__all__ = [
    "AcceptedRow",
    "Column",
    "HeldRow",
    "Item",
    "Layout",
    "Notice",
    "Reason",
    "Refusal",
    "Roster",
    "RosterEntry",
    "RosterProblem",
    "RosterReport",
    "RosterRow",
    "SheetLayout",
    "SheetReport",
    "SkippedRow",
    "check_sheet",
    "read_roster",
    "recheck",
    "to_json",
]
