-- Earlier versions do not know that these end with what the person allowed the app.
UPDATE api_keys SET revoked_at = created_at WHERE grant_id IS NOT NULL AND revoked_at IS NULL;
DROP INDEX api_keys_grant;
ALTER TABLE api_keys DROP COLUMN grant_id;
