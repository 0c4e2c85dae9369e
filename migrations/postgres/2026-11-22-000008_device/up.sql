-- Requests of devices without a browser (RFC 8628), from the asking to the tokens. The code that the device holds leads to
-- its row by the id and is kept as a hash; the short one that a person types is kept as a hash under the encryption key, as
-- it could be guessed from any other.

CREATE TABLE device_codes (
    id BYTEA NOT NULL PRIMARY KEY,
    secret_hash BYTEA NOT NULL,
    user_code_hash BYTEA NOT NULL UNIQUE,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    code_challenge TEXT,
    address TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    interval_seconds BIGINT NOT NULL,
    next_poll_at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    decided_at BIGINT,
    grant_id BYTEA,
    ended_at BIGINT,
    CHECK (decided_at IS NOT NULL OR (grant_id IS NULL AND ended_at IS NULL))
);
CREATE INDEX device_codes_expiry ON device_codes (expires_at);
