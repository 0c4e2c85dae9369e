DROP TABLE erased_users;

-- Earlier versions would show these as browsers.
DELETE FROM sessions WHERE client_id IS NOT NULL;
ALTER TABLE sessions DROP COLUMN client_id;

ALTER TABLE users DROP COLUMN access_version;
ALTER TABLE users DROP COLUMN family_name;
ALTER TABLE users DROP COLUMN given_name;
