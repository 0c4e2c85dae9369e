-- Credentials of programs. One belongs to a client or to a person. It is found by its id; a rotated secret is taken for a while
-- beside the new one.

CREATE TABLE api_keys (
    id BYTEA NOT NULL PRIMARY KEY,
    secret_hash BYTEA NOT NULL,
    previous_hash BYTEA,
    previous_until BIGINT,
    name TEXT NOT NULL,
    client_id TEXT REFERENCES clients (client_id),
    user_id BYTEA REFERENCES users (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    networks TEXT NOT NULL,
    rate_limit BIGINT,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    last_used_address TEXT,
    CHECK ((client_id IS NULL) <> (user_id IS NULL)),
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);
CREATE INDEX api_keys_client ON api_keys (client_id);
CREATE INDEX api_keys_user ON api_keys (user_id);

INSERT INTO scopes (name, title, description) VALUES
    ('api_keys', 'Manage your API keys', 'The app can make, renew and end API keys in your name, with no more access than you allow the app itself.');
