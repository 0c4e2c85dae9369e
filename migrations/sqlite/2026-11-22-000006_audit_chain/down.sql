DROP TABLE audit_checkpoints;
DELETE FROM settings WHERE name = 'audit_key';

ALTER TABLE audit_events DROP COLUMN hash;
ALTER TABLE audit_events DROP COLUMN operator;
ALTER TABLE audit_events DROP COLUMN reason;
