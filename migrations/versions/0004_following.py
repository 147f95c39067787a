"""Following: an older event does not overwrite a newer one.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 05:02:40.118264
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def upgrade():
    with op.batch_alter_table("identities") as table:
        table.add_column(sa.Column("follow_changed_at", INSTANT, nullable=True))


def downgrade():
    with op.batch_alter_table("identities") as table:
        table.drop_column("follow_changed_at")
