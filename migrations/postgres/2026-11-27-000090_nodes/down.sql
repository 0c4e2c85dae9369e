DROP TABLE nodes;
DELETE FROM settings WHERE name IN ('issuer', 'encryption_key', 'clock_seen');
