-- What the rows of airports were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import airport %}
CREATE OR REPLACE VIEW {{ dds }}.v_airport_history AS
{{ airport(dds, "periods") }}
