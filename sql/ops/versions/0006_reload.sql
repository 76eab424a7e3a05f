-- Reports of history reloads and checks.
SELECT 1;
