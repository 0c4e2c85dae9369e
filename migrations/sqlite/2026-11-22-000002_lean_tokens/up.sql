-- Tokens refer to their family without a foreign key and without an index over families: both cost every issue a page in a
-- random place, and no question needs them. A token whose family is gone does not count, and cleaning removes tokens
-- before families. Families remember instead when they were last used,
-- coarsely, and whether they were given refresh tokens.
--
-- Audit events carry who wrote them and their number in that writer's sequence, so that a missing one shows.

CREATE TABLE codes_new (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    grant_id BLOB NOT NULL,
    sent_redirect_uri TEXT,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    failures BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO codes_new SELECT * FROM codes;
DROP TABLE codes;
ALTER TABLE codes_new RENAME TO codes;

CREATE TABLE refresh_tokens_new (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    grant_id BLOB NOT NULL,
    parent_id BLOB,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    successor BLOB
) WITHOUT ROWID;
INSERT INTO refresh_tokens_new SELECT * FROM refresh_tokens;
DROP TABLE refresh_tokens;
ALTER TABLE refresh_tokens_new RENAME TO refresh_tokens;

CREATE TABLE access_tokens_new (
    jti BLOB NOT NULL PRIMARY KEY,
    grant_id BLOB,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    subject TEXT NOT NULL,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    refreshed_from BLOB
) WITHOUT ROWID;
INSERT INTO access_tokens_new SELECT * FROM access_tokens;
DROP TABLE access_tokens;
ALTER TABLE access_tokens_new RENAME TO access_tokens;

ALTER TABLE grants ADD COLUMN used_at BIGINT;
ALTER TABLE grants ADD COLUMN refreshable BOOLEAN NOT NULL DEFAULT TRUE;

ALTER TABLE audit_events ADD COLUMN writer BLOB;
ALTER TABLE audit_events ADD COLUMN sequence BIGINT;
