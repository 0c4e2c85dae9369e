-- Tokens refer to their family without a foreign key and without an index over families: both cost every issue a page in a
-- random place, and no question needs them. A token whose family is gone does not count, and cleaning removes tokens
-- before families. Families remember instead when they were last used,
-- coarsely, and whether they were given refresh tokens.
--
-- Audit events carry who wrote them and their number in that writer's sequence, so that a missing one shows.

ALTER TABLE codes DROP CONSTRAINT codes_grant_id_fkey;
DROP INDEX codes_grant;

ALTER TABLE refresh_tokens DROP CONSTRAINT refresh_tokens_grant_id_fkey;
DROP INDEX refresh_tokens_grant;

ALTER TABLE access_tokens DROP CONSTRAINT access_tokens_grant_id_fkey;
DROP INDEX access_tokens_grant;

ALTER TABLE grants ADD COLUMN used_at BIGINT;
ALTER TABLE grants ADD COLUMN refreshable BOOLEAN NOT NULL DEFAULT TRUE;

ALTER TABLE audit_events ADD COLUMN writer BYTEA, ADD COLUMN sequence BIGINT;
