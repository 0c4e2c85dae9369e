-- The servers that use this database, each with the settings that all should share.
CREATE TABLE nodes (
    id BYTEA NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    settings TEXT NOT NULL
);
