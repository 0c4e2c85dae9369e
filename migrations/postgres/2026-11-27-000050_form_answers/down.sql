DROP TABLE form_answers;
CREATE TABLE authorizations (
    id BYTEA NOT NULL PRIMARY KEY,
    browser_hash BYTEA NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    session_id BYTEA,
    completed_at BIGINT
);
CREATE INDEX authorizations_expiry ON authorizations (expires_at);
