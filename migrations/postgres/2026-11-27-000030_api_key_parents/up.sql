-- The family of tokens by which a person's API key was made through an app: the key is no wider than that, and ends with it.
-- NULL for keys that the person or the operator made.

ALTER TABLE api_keys ADD COLUMN grant_id BYTEA;
CREATE INDEX api_keys_grant ON api_keys (grant_id) WHERE grant_id IS NOT NULL;
