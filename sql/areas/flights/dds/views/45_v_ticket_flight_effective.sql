-- Which flight a ticket was for, since when and until when.
{%- from "areas/flights/dds/parts/tables.sql" import ticket_flight %}
{%- from "engine/changes/versions.sql" import in_force %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight_effective AS
SELECT
    t.ticket_no,
    f.flight_id,
    e.valid_from,
    e.valid_to
FROM (
    {{ in_force(ticket_flight, dds, "lives", "TRUE") | indent }}
) AS e
INNER JOIN {{ dds }}.l_ticket_flight AS l
    ON e.hk_ticket_flight_pk = l.hk_ticket_flight_pk
INNER JOIN {{ dds }}.h_ticket AS t ON l.h_ticket_pk = t.h_ticket_pk
INNER JOIN {{ dds }}.h_flight AS f ON l.h_flight_pk = f.h_flight_pk
