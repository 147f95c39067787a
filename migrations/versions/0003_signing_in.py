"""Signing in: users know WeCom too; sessions end everywhere at once.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 02:12:31.550218
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def epoch():
    return sa.Column("session_epoch", BIG, nullable=False, server_default="0")


def upgrade():
    with op.batch_alter_table("identities") as table:
        table.add_column(epoch())
    with op.batch_alter_table("users") as table:
        table.add_column(epoch())
        table.add_column(sa.Column("wecom_identity_id", BIG, nullable=True))
        table.create_foreign_key(
            op.f("fk_users_wecom_identity_id_identities"),
            "identities",
            ["wecom_identity_id"],
            ["id"],
        )
        table.create_unique_constraint(op.f("uq_users_wecom_identity_id"), ["wecom_identity_id"])


def downgrade():
    with op.batch_alter_table("users") as table:
        table.drop_constraint(op.f("fk_users_wecom_identity_id_identities"), type_="foreignkey")
        table.drop_constraint(op.f("uq_users_wecom_identity_id"), type_="unique")
        table.drop_column("wecom_identity_id")
        table.drop_column("session_epoch")
    with op.batch_alter_table("identities") as table:
        table.drop_column("session_epoch")
