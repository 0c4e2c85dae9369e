-- A list of APIs says the same to earlier versions.
SELECT 1;
