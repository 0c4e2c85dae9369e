DELETE FROM codes WHERE grant_id NOT IN (SELECT id FROM grants);
ALTER TABLE codes ADD CONSTRAINT codes_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES grants (id) ON DELETE CASCADE;
CREATE INDEX codes_grant ON codes (grant_id);

DELETE FROM refresh_tokens WHERE grant_id NOT IN (SELECT id FROM grants);
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES grants (id) ON DELETE CASCADE;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

DELETE FROM access_tokens WHERE grant_id NOT IN (SELECT id FROM grants);
ALTER TABLE access_tokens ADD CONSTRAINT access_tokens_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES grants (id) ON DELETE CASCADE;
CREATE INDEX access_tokens_grant ON access_tokens (grant_id) WHERE grant_id IS NOT NULL;

ALTER TABLE grants DROP COLUMN refreshable;
ALTER TABLE grants DROP COLUMN used_at;

ALTER TABLE audit_events DROP COLUMN writer, DROP COLUMN sequence;
