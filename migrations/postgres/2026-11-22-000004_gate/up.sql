-- Logins at the hosts of apps that stand behind forward authentication. One begins as a ticket, which the browser carries from
-- our host to the app's, and is opened there once; it belongs to a login session and ends with it.

CREATE TABLE gates (
    id BYTEA NOT NULL PRIMARY KEY,
    secret_hash BYTEA NOT NULL,
    session_id BYTEA NOT NULL,
    origin TEXT NOT NULL,
    state_hash BYTEA NOT NULL,
    return_to TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    opened_at BIGINT
);
CREATE INDEX gates_expiry ON gates (expires_at);
