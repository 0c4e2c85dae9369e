DROP INDEX api_keys_live_user;
DROP INDEX api_keys_live_client;
DROP INDEX api_keys_client;
DROP INDEX api_keys_user;
CREATE INDEX api_keys_client ON api_keys (client_id);
CREATE INDEX api_keys_user ON api_keys (user_id);
