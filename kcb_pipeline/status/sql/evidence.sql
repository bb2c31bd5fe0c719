-- The evidence that stands: tonight's, and of every source that did not come tonight what it said last (extracts.md, Evidence lasts), of
-- children who were not of school age then too. Who went abroad is abroad until a later crossing inward, and who came back is back until one
-- outward, also where the crossings of tonight are only the new ones.
WITH children AS (
    SELECT person, child_id FROM standard.children UNION ALL SELECT person, child_id FROM standard.gone_children
), said_before AS (
    SELECT e.child_id, c.person, e.kind, e.source, e.code, e.from_date, e.to_date, e.said_on, e.source_row
    FROM previous_evidence e
    LEFT JOIN standard.children c ON c.child_id = e.child_id
    UNION ALL
    SELECT c.child_id, c.person, w.kind, w.source, w.code, w.from_date, w.to_date, w.said_on, w.source_row
    FROM standard.waiting_before w
    JOIN status.attributed a ON a.source = w.source AND a.row = w.row
    JOIN children c ON c.person = a.person
)
SELECT child_id, person, kind, source, code, from_date, to_date, said_on, source_row,
       row_number() OVER (PARTITION BY child_id, kind ORDER BY from_date NULLS LAST, to_date NULLS LAST, code NULLS LAST, source_row NULLS LAST) AS nth
FROM (
    SELECT DISTINCT c.child_id, t.person, t.kind, t.source, t.code, t.from_date, t.to_date, $today AS said_on, t.source_row
    FROM status.evidence_tonight t
    JOIN children c ON c.person = t.person
    UNION ALL
    SELECT e.child_id, e.person, e.kind, e.source, e.code, e.from_date, e.to_date, e.said_on, e.source_row
    FROM said_before e
    LEFT JOIN (
        SELECT c.child_id, max(x.crossed_on) AS crossed_on
        FROM landed.exit_entry x
        JOIN status.attributed a ON a.source = 'exit_entry' AND a.row = x.row
        JOIN children c ON c.person = a.person
        WHERE x.crossed_on IS NOT NULL AND x.direction IS NOT NULL
        GROUP BY c.child_id
    ) x ON x.child_id = e.child_id
    WHERE e.source NOT IN (SELECT source FROM status.sources_tonight)
       OR e.kind IN ('abroad', 'come_back') AND (x.crossed_on IS NULL OR x.crossed_on < e.from_date)
) standing
