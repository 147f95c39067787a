"""What a reader must make of a demo sheet, written down while the sheet is written."""

from dataclasses import dataclass, field
from pathlib import Path

from .people import Employee


@dataclass(frozen=True, slots=True)
class Expected:
    """Rows are counted as people see them in the file, from 1."""

    period: str
    accepted: dict[int, tuple[str, int]] = field(default_factory=dict)  # row → emp_id, net in fen
    held: dict[int, str] = field(default_factory=dict)  # row → reason code
    hidden_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enterprise:
    key: str
    name: str
    org_path: str
    employees: tuple[Employee, ...]
    roster_csv: Path
    roster_xlsx: Path
    sheet: Path
    expected: Expected


@dataclass(frozen=True, slots=True)
class DemoData:
    seed: int
    outdir: Path
    organisation: Path
    enterprises: tuple[Enterprise, ...]
