-- What a client is to others, and how strictly its requests are judged. `resources` are the APIs that the client itself is;
-- `audiences` stay those that it may ask tokens for.

ALTER TABLE clients ADD COLUMN resources TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN consent TEXT NOT NULL DEFAULT 'remember';
ALTER TABLE clients ADD COLUMN method_check TEXT NOT NULL DEFAULT 'lenient';
ALTER TABLE clients ADD COLUMN assertion_audience TEXT NOT NULL DEFAULT 'issuer';
ALTER TABLE clients ADD COLUMN id_token_claims TEXT NOT NULL DEFAULT 'standard';
ALTER TABLE clients ADD COLUMN refresh TEXT NOT NULL DEFAULT 'standard';

-- A confidential client without any grant cannot ask for tokens: its audiences said which API it is.
UPDATE clients SET resources = audiences WHERE grant_types = '' AND party = 'third' AND auth_method <> 'none';
