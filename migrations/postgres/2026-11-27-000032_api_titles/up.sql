-- What APIs are called where a person is asked to allow an app something at them.

CREATE TABLE apis (
    uri TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL
);
