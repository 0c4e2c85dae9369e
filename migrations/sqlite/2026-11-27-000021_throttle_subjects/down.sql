DROP INDEX throttles_network;
DROP INDEX throttles_subject;
DROP INDEX throttles_full;
ALTER TABLE throttles DROP COLUMN under_way_until;
ALTER TABLE throttles DROP COLUMN under_way;
ALTER TABLE throttles DROP COLUMN full_until;
ALTER TABLE throttles DROP COLUMN network;
ALTER TABLE throttles DROP COLUMN subject;
ALTER TABLE throttles DROP COLUMN kind;
