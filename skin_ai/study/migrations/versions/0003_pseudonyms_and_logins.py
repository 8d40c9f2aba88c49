"""A reader's code becomes a pseudonym that opens nothing; what opens their cases is a table of its own

The old codes stand in exports and file names that were given away, so they no longer open anything. Readers
who are still at work get a code with `study new-code`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE clinicians RENAME COLUMN code TO pseudonym")
    op.add_column("clinicians", sa.Column("code_hash", sa.String(length=64), nullable=True))
    op.create_index("ix_clinicians_code_hash", "clinicians", ["code_hash"], unique=True)
    op.create_table(
        "logins",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("clinician", sa.String(length=16), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinician"], ["clinicians.pseudonym"], name="fk_logins_clinician", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_sha256", name="pk_logins"),
    )
    op.create_index("ix_logins_clinician", "logins", ["clinician"])
