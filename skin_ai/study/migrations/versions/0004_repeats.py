"""Whether a reader had met a case before; of earlier answers it is not known, and they stay as they are"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("readings", sa.Column("is_repeat", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("cases", sa.Column("seen_sha256", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE cases SET seen_sha256 = photo_sha256 WHERE deck_id IS NOT NULL")
