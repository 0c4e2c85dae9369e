DELETE FROM scopes WHERE name = 'roles' AND title = 'See your role';
ALTER TABLE scopes DROP COLUMN sensitive;
