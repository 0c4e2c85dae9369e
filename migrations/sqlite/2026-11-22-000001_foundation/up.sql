-- Identifiers are UUIDv7 in 16 bytes; times are Unix seconds unless the column says otherwise.

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE scopes (
    name TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO scopes (name, title, description) VALUES
    ('openid', 'Know who you are', 'The app learns an identifier that stands for your account, so that it recognises you next time.'),
    ('profile', 'See your name', 'The app learns your user name and the name you show to others.'),
    ('email', 'See your e-mail address', 'The app learns the e-mail address of your account.'),
    ('offline_access', 'Stay connected when you are away', 'The app keeps the access listed here after you have closed it, until you remove it.');

CREATE TABLE clients (
    client_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    auth_method TEXT NOT NULL,
    secret_hash BLOB,
    previous_secret_hash BLOB,
    previous_secret_until BIGINT,
    redirect_uris TEXT NOT NULL,
    grant_types TEXT NOT NULL,
    scope TEXT NOT NULL,
    audiences TEXT NOT NULL,
    jwks TEXT,
    application_type TEXT NOT NULL,
    pkce TEXT NOT NULL,
    id_token_alg TEXT,
    client_uri TEXT,
    policy_uri TEXT,
    tos_uri TEXT,
    logo_type TEXT,
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE client_logos (
    client_id TEXT NOT NULL PRIMARY KEY REFERENCES clients (client_id),
    content_type TEXT NOT NULL,
    image BLOB NOT NULL
);

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT UNIQUE,
    email_verified_at BIGINT,
    name TEXT,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    password_hash TEXT,
    password_changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

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

CREATE TABLE consents (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    resource TEXT NOT NULL,
    scope TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, resource)
) WITHOUT ROWID;

CREATE TABLE grants (
    id BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id BLOB,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    nonce TEXT,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
) WITHOUT ROWID;
CREATE INDEX grants_user_client ON grants (user_id, client_id);
CREATE INDEX grants_expiry ON grants (expires_at);

CREATE TABLE codes (
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
CREATE INDEX codes_grant ON codes (grant_id);

CREATE TABLE refresh_tokens (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    grant_id BLOB NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    parent_id BLOB,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    successor BLOB
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

CREATE TABLE access_tokens (
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
CREATE INDEX access_tokens_grant ON access_tokens (grant_id) WHERE grant_id IS NOT NULL;

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    sealed_private_key BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    activates_at BIGINT NOT NULL,
    retired_at BIGINT,
    removed_at BIGINT
) WITHOUT ROWID;

CREATE TABLE client_assertions (
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    jti_hash BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
) WITHOUT ROWID;
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);

CREATE TABLE one_time_links (
    id BLOB NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    purpose TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
) WITHOUT ROWID;

CREATE TABLE throttles (
    name TEXT NOT NULL PRIMARY KEY,
    attempts BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX throttles_expiry ON throttles (expires_at);

CREATE TABLE audit_events (
    id BLOB NOT NULL PRIMARY KEY,
    at_millis BIGINT NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    client_id TEXT,
    subject_hash TEXT,
    address TEXT,
    request_id TEXT,
    detail TEXT
) WITHOUT ROWID;
