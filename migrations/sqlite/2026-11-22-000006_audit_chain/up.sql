-- Each writer chains its events by hashes; checkpoints, signed with a key that the database does not have in the clear,
-- state how far each chain goes. docs/audit.md says what that shows and what it cannot.

ALTER TABLE audit_events ADD COLUMN reason TEXT;
ALTER TABLE audit_events ADD COLUMN operator TEXT;
ALTER TABLE audit_events ADD COLUMN hash BLOB;

CREATE TABLE audit_checkpoints (
    number BIGINT NOT NULL PRIMARY KEY,
    at_millis BIGINT NOT NULL,
    body TEXT NOT NULL,
    mac BLOB NOT NULL
) WITHOUT ROWID;
