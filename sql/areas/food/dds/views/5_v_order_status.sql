-- The status history of each order's newest version, one row per status.
CREATE OR REPLACE VIEW {{ dds }}.v_order_status AS
SELECT
    o.h_order_pk,
    o.order_id,
    told.status,
    told.dttm::timestamp AS status_dt,
    told.status_no
FROM {{ dds }}.v_order AS o
CROSS JOIN LATERAL ROWS FROM (
    jsonb_to_recordset(o.statuses) AS (status text, dttm text)
) WITH ORDINALITY AS told (status, dttm, status_no)
