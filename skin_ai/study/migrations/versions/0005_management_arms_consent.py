"""What newer studies measure: management, P(malignant), arms; consent and withdrawals"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for table, name, type_, default in (
        ("decks", "asks_management", sa.Boolean(), sa.false()),
        ("decks", "asks_malignancy", sa.Boolean(), sa.false()),
        ("decks", "arms", sa.JSON(), "[]"),
        ("decks", "primary_comparison", sa.JSON(), "[]"),
        ("decks", "consent", sa.Text(), ""),
        ("decks", "withdrawn", sa.Integer(), "0"),
        ("readings", "arm", sa.Text(), ""),
        ("answers", "management", sa.Text(), ""),
    ):
        op.add_column(table, sa.Column(name, type_, nullable=False, server_default=default))
    op.add_column("answers", sa.Column("malignancy", sa.Integer(), nullable=True))
    op.create_table(
        "consents",
        sa.Column("clinician", sa.String(length=16), nullable=False),
        sa.Column("deck_id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinician"], ["clinicians.pseudonym"], name="fk_consents_clinician", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["deck_id"], ["decks.id"], name="fk_consents_deck_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("clinician", "deck_id", name="pk_consents"),
    )
    op.create_index("ix_consents_deck_id", "consents", ["deck_id"])
