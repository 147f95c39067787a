"""Money is a whole number of fen. Text becomes money through Decimal, never through float."""

import re
from decimal import Decimal
from typing import NewType

Fen = NewType("Fen", int)

_PLAIN = re.compile(r"[+-]?\d{1,15}(\.\d{1,2})?")


def parse_yuan(text: str) -> Fen:
    """Read ``1234.5`` (yuan) into fen.

    Raises ValueError for anything else, more than two decimals included: an amount is never
    rounded on the way in. Marks such as ``￥1,234.50`` are the sheet reader's to take off.
    """
    if not _PLAIN.fullmatch(text):
        raise ValueError("not an amount in yuan with at most two decimals")
    return Fen(int(Decimal(text) * 100))


def yuan(fen: Fen | int) -> str:
    """Write fen for programs: ``123450`` as ``1234.50``."""
    sign, whole = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{whole // 100}.{whole % 100:02d}"


def yuan_grouped(fen: Fen | int) -> str:
    """Write fen for people: ``123450`` as ``1,234.50``."""
    sign, whole = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"
