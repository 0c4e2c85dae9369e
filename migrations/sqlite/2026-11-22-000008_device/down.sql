-- Earlier versions know neither the grant nor families that began with it, and would refuse to read such rows at all.
UPDATE grants SET revoked_at = created_at WHERE origin = 'device' AND revoked_at IS NULL;
UPDATE grants SET origin = 'authorization' WHERE origin = 'device';
UPDATE clients
SET grant_types = trim(replace(' ' || grant_types || ' ', ' urn:ietf:params:oauth:grant-type:device_code ', ' ')),
    version = version + 1
WHERE ' ' || grant_types || ' ' LIKE '% urn:ietf:params:oauth:grant-type:device\_code %' ESCAPE '\';

DROP TABLE device_codes;
