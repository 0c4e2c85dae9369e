-- When an app was last used, for the account page: what its grants say is carried here before cleanup removes them.
ALTER TABLE consents ADD COLUMN last_used_at BIGINT;
