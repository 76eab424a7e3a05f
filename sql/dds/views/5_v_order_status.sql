-- The history of statuses that each order's newest version tells, a row per status.
CREATE OR REPLACE VIEW dds.v_order_status AS
SELECT
    o.h_order_pk,
    o.order_id,
    told.status,
    told.dttm::timestamp AS status_dt,
    told.status_no
FROM dds.v_order AS o
INNER JOIN LATERAL (
    SELECT s.statuses
    FROM dds.s_order_status AS s
    WHERE
        s.order_id = o.order_id
        AND s.version_dt = o.version_dt
        AND s.status = o.status
        AND s.statuses IS NOT NULL
    LIMIT 1
) AS newest ON TRUE
CROSS JOIN LATERAL ROWS FROM (
    jsonb_to_recordset(newest.statuses) AS (status text, dttm text)
) WITH ORDINALITY AS told (status, dttm, status_no)
