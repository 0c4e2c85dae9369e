-- The parts of a person's name (OIDC Core section 5.1).
ALTER TABLE users ADD COLUMN given_name TEXT;
ALTER TABLE users ADD COLUMN family_name TEXT;

-- Raised by every change that ends all access of a person (another password, being disabled). A proof that was read under
-- another version is refused; times in seconds could not tell two changes within one second apart.
ALTER TABLE users ADD COLUMN access_version BIGINT NOT NULL DEFAULT 0;

-- Set where the session is the login of a first-party app and not of a browser.
ALTER TABLE sessions ADD COLUMN client_id TEXT;

-- Ids of deleted accounts, and nothing else of them: a restored backup does not bring them back.
CREATE TABLE erased_users (
    id BYTEA NOT NULL PRIMARY KEY,
    erased_at BIGINT NOT NULL
);
