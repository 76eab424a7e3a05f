-- What is to be published, and what was.
SELECT 1;
