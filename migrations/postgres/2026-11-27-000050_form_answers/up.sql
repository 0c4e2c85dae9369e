-- A login that waits for its person lies sealed in the browser and has no row. What has a row is a form that was
-- answered: so that it is answered once, and so that the same form, sent again by the same browser, leads where the first
-- one led. The answer is sealed under a key that only that browser's cookie yields.
DROP TABLE authorizations;
CREATE TABLE form_answers (
    id BYTEA NOT NULL PRIMARY KEY,
    answered_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    answer BYTEA NOT NULL
);
CREATE INDEX form_answers_expiry ON form_answers (expires_at);
