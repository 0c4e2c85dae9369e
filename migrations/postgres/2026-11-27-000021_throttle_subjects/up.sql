-- What is counted can be listed and lifted: of whom and from where, until when it restrains. An attempt that is being evaluated
-- takes a place beside those that failed.

ALTER TABLE throttles ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE throttles ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE throttles ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE throttles ADD COLUMN full_until BIGINT;
ALTER TABLE throttles ADD COLUMN under_way BIGINT NOT NULL DEFAULT 0;
ALTER TABLE throttles ADD COLUMN under_way_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX throttles_full ON throttles (full_until) WHERE full_until IS NOT NULL;
CREATE INDEX throttles_subject ON throttles (subject);
CREATE INDEX throttles_network ON throttles (network);
