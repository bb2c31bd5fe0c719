-- 残疾儿童: what the disabled persons' federation says of a child; where it did not send tonight, what it said last.
SELECT child_id, certificate_number, kind, level, placement
FROM (
    SELECT c.child_id, v.certificate_number, v.kind, v.level, v.placement,
           row_number() OVER (PARTITION BY c.child_id ORDER BY v.level NULLS LAST, v.certificate_number NULLS LAST, v.kind NULLS LAST,
                                                               v.placement NULLS LAST) AS nth
    FROM landed.disability_register v
    JOIN status.attributed a ON a.source = 'disability_register' AND a.row = v.row
    JOIN standard.children c ON c.person = a.person
) d
WHERE nth = 1
UNION ALL
SELECT child_id, certificate_number, kind, level, placement FROM previous_disabilities
WHERE 'disability_register' NOT IN (SELECT source FROM status.sources_tonight)
