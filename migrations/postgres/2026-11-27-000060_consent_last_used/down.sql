ALTER TABLE consents DROP COLUMN last_used_at;
