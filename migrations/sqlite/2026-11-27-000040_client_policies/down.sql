-- Earlier versions do not know this word and would refuse to read the row.
UPDATE clients SET pkce = 'required', version = version + 1 WHERE pkce = 'optional';

ALTER TABLE clients DROP COLUMN refresh;
ALTER TABLE clients DROP COLUMN id_token_claims;
ALTER TABLE clients DROP COLUMN assertion_audience;
ALTER TABLE clients DROP COLUMN method_check;
ALTER TABLE clients DROP COLUMN consent;
ALTER TABLE clients DROP COLUMN resources;
