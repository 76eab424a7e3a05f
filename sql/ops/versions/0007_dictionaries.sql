-- What a synchronisation of dictionaries needs.
SELECT 1;
