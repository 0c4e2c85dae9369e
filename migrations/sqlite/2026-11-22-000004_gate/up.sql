-- Logins at the hosts of apps that stand behind forward authentication. One begins as a ticket, which the browser carries from
-- our host to the app's, and is opened there once; it belongs to a login session and ends with it.

CREATE TABLE gates (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    session_id BLOB NOT NULL,
    origin TEXT NOT NULL,
    state_hash BLOB NOT NULL,
    return_to TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    opened_at BIGINT
) WITHOUT ROWID;
CREATE INDEX gates_expiry ON gates (expires_at);
