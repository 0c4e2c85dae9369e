-- Who is restrained for a while, and why: seen by every node within a second.

CREATE TABLE restraints (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;
CREATE INDEX restraints_expiry ON restraints (expires_at);
