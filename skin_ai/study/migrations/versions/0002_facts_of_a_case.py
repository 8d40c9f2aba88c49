"""Facts of a case: what was extracted from its words, and what was confirmed"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("facts_extracted", "facts_confirmed"):
        op.add_column("cases", sa.Column(name, sa.JSON(), nullable=True))
