"""The gateway: deadlines of callbacks, how an account's callbacks are taken and answered.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22 01:50:12.407113
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")


def upgrade():
    with op.batch_alter_table("inbox_events") as table:
        table.add_column(sa.Column("deadline_at", INSTANT, nullable=True))
    with op.batch_alter_table("channel_accounts") as table:
        table.add_column(sa.Column("callback_window_seconds", BIG, nullable=True))
        for name in ("follow_reply", "message_reply"):
            table.add_column(sa.Column(name, LONG_TEXT, nullable=True))
        table.add_column(
            sa.Column("hands_over", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade():
    with op.batch_alter_table("channel_accounts") as table:
        for name in ("hands_over", "message_reply", "follow_reply", "callback_window_seconds"):
            table.drop_column(name)
    with op.batch_alter_table("inbox_events") as table:
        table.drop_column("deadline_at")
