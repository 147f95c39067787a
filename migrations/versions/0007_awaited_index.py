"""The index that counts a campaign's pushes says by which route each went.

Which of those that were sent a moment ago the platform will still report is then counted by the
index alone.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-22 08:30:00
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME = "ix_pushes_campaign_status"


def upgrade():
    op.drop_index(NAME, "pushes")
    op.create_index(NAME, "pushes", ["campaign_id", "status", "sent_at", "route"])


def downgrade():
    op.drop_index(NAME, "pushes")
    op.create_index(NAME, "pushes", ["campaign_id", "status", "sent_at"])
