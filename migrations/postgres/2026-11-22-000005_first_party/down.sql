-- Earlier versions would take these for families that a person allowed on the consent page.
UPDATE grants SET revoked_at = created_at WHERE origin = 'first_party' AND revoked_at IS NULL;

ALTER TABLE grants DROP COLUMN origin;
ALTER TABLE clients DROP COLUMN party;
