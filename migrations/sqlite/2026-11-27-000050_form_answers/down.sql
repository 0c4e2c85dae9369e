DROP TABLE form_answers;
CREATE TABLE authorizations (
    id BLOB NOT NULL PRIMARY KEY,
    browser_hash BLOB NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    session_id BLOB,
    completed_at BIGINT
) WITHOUT ROWID;
CREATE INDEX authorizations_expiry ON authorizations (expires_at);
