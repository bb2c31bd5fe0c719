-- 现行证据, as it is published: what was said before in the same words keeps the night that said it first and its row of that night, so that
-- a night on which a source says the same again, in rows that have moved, writes nothing.
SELECT e.child_id, e.kind, e.nth, e.source, e.code, e.from_date, e.to_date,
       CASE WHEN p.child_id IS NULL THEN e.said_on ELSE p.said_on END AS said_on,
       CASE WHEN p.child_id IS NULL THEN e.source_row ELSE p.source_row END AS source_row
FROM status.evidence e
LEFT JOIN previous_evidence p
  ON p.child_id = e.child_id AND p.kind = e.kind AND p.nth = e.nth AND p.source = e.source AND p.code IS NOT DISTINCT FROM e.code
 AND p.from_date IS NOT DISTINCT FROM e.from_date AND p.to_date IS NOT DISTINCT FROM e.to_date
ORDER BY e.child_id, e.kind, e.nth
