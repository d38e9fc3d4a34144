"""An SDR ends its session in place: no index names what changes then (3.12).

An index by ``state`` made each step of a session rewrite all its index entries. A
session's time is now cleared when it runs no more, and the timer's index needs no
state. Half of each page stays free, for a batch may end all sessions of a page at
once.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_09_pre"
down_revision = "2026_11_22_08_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the timer's index."""
    op.execute("""
        DROP INDEX clearing.session_timer;
        ALTER TABLE clearing.session SET (fillfactor = 50);
        UPDATE clearing.session SET valid_until = NULL
        WHERE valid_until IS NOT NULL
          AND state NOT IN ('RESERVED', 'AUTHORIZED', 'STARTING', 'START_UNKNOWN');
        -- What a timer must end next: nothing else is in this index.
        CREATE INDEX session_timer ON clearing.session (valid_until)
            WHERE valid_until IS NOT NULL;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
