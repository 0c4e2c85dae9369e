-- The servers that use this database, each with the settings that all should share.
CREATE TABLE nodes (
    id BLOB NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    settings TEXT NOT NULL
) WITHOUT ROWID;
