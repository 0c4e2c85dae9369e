CREATE TABLE codes_old (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    grant_id BLOB NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    sent_redirect_uri TEXT,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    failures BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO codes_old SELECT * FROM codes WHERE grant_id IN (SELECT id FROM grants);
DROP TABLE codes;
ALTER TABLE codes_old RENAME TO codes;
CREATE INDEX codes_grant ON codes (grant_id);

CREATE TABLE refresh_tokens_old (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    grant_id BLOB NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    parent_id BLOB,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    successor BLOB
) WITHOUT ROWID;
INSERT INTO refresh_tokens_old SELECT * FROM refresh_tokens WHERE grant_id IN (SELECT id FROM grants);
DROP TABLE refresh_tokens;
ALTER TABLE refresh_tokens_old RENAME TO refresh_tokens;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

CREATE TABLE access_tokens_old (
    jti BLOB NOT NULL PRIMARY KEY,
    grant_id BLOB REFERENCES grants (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    subject TEXT NOT NULL,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    refreshed_from BLOB
) WITHOUT ROWID;
INSERT INTO access_tokens_old SELECT * FROM access_tokens WHERE grant_id IN (SELECT id FROM grants) OR grant_id IS NULL;
DROP TABLE access_tokens;
ALTER TABLE access_tokens_old RENAME TO access_tokens;
CREATE INDEX access_tokens_grant ON access_tokens (grant_id) WHERE grant_id IS NOT NULL;

ALTER TABLE grants DROP COLUMN refreshable;
ALTER TABLE grants DROP COLUMN used_at;

ALTER TABLE audit_events DROP COLUMN writer;
ALTER TABLE audit_events DROP COLUMN sequence;
