-- The keys of one owner are counted and shown page by page without reading those that ended long ago.

CREATE INDEX api_keys_live_client ON api_keys (client_id, expires_at) WHERE revoked_at IS NULL AND client_id IS NOT NULL;
CREATE INDEX api_keys_live_user ON api_keys (user_id, expires_at) WHERE revoked_at IS NULL AND user_id IS NOT NULL;
DROP INDEX api_keys_client;
DROP INDEX api_keys_user;
CREATE INDEX api_keys_client ON api_keys (client_id, id);
CREATE INDEX api_keys_user ON api_keys (user_id, id);
