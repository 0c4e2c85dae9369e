-- Scopes that the consent page warns of, and the scope by which a person lets an app know their role.

ALTER TABLE scopes ADD COLUMN sensitive BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE scopes SET sensitive = TRUE WHERE name = 'api_keys';
INSERT INTO scopes (name, title, description) VALUES
    ('roles', 'See your role', 'The app learns whether you are an administrator of this service.')
    ON CONFLICT (name) DO NOTHING;
