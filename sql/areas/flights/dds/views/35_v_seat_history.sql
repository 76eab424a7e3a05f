-- What the rows of seats were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import seat %}
CREATE OR REPLACE VIEW {{ dds }}.v_seat_history AS
{{ seat(dds, "periods") }}
