DROP INDEX api_keys_live_user;
DROP INDEX api_keys_live_client;
