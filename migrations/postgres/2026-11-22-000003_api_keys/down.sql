DELETE FROM scopes WHERE name = 'api_keys';
DROP TABLE api_keys;
