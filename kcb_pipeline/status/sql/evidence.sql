-- The evidence that stands: tonight's, and of every source that did not come tonight what it said last (extracts.md, Evidence lasts).
SELECT child_id, person, kind, source, code, from_date, to_date, said_on, source_row,
       row_number() OVER (PARTITION BY child_id, kind ORDER BY from_date NULLS LAST, to_date NULLS LAST, code NULLS LAST, source_row NULLS LAST) AS nth
FROM (
    SELECT DISTINCT c.child_id, t.person, t.kind, t.source, t.code, t.from_date, t.to_date, $today AS said_on, t.source_row
    FROM status.evidence_tonight t
    JOIN (SELECT person, child_id FROM standard.children UNION ALL SELECT person, child_id FROM standard.gone_children) c ON c.person = t.person
    UNION ALL
    SELECT e.child_id, c.person, e.kind, e.source, e.code, e.from_date, e.to_date, e.said_on, e.source_row
    FROM previous_evidence e
    LEFT JOIN standard.children c ON c.child_id = e.child_id
    WHERE e.source NOT IN (SELECT source FROM status.sources_tonight)
) standing
