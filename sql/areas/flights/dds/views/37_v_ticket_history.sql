-- What the rows of tickets were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import ticket %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_history AS
{{ ticket(dds, "periods") }}
