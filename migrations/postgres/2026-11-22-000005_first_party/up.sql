-- Which clients are the operator's own apps, and how a family of tokens began: at the authorization endpoint, or by a
-- login of such an app.

ALTER TABLE clients ADD COLUMN party TEXT NOT NULL DEFAULT 'third';
ALTER TABLE grants ADD COLUMN origin TEXT NOT NULL DEFAULT 'authorization';
