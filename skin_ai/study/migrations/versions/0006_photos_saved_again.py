"""A hash that finds a photo that was saved again; earlier cases have none and are compared by their pixels"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("cases", sa.Column("seen_dhash", sa.Text(), nullable=False, server_default=""))
