-- What stands of children of the population side who are not of school age yet, so that it holds when they are and its source does not come
-- (extracts.md, Evidence lasts): tonight's word, and of the sources that did not come what they said last, each to the end of its own term.
-- Attendance speaks of records and not of children. Who is a child of the ledger has its evidence there.
WITH ours AS (
    SELECT person FROM standard.children UNION ALL SELECT person FROM standard.gone_children
), known AS (
    SELECT p.person, l.id_number, l.name, p.sex, p.birth_date
    FROM standard.persons p
    JOIN (
        SELECT 2 * row AS ref, id_number, name FROM landed.population UNION ALL SELECT 2 * row + 1, id_number, name FROM landed.residents
    ) l ON l.ref = p.ref
), standing AS (
    SELECT k.id_number, k.name, k.sex, k.birth_date, t.kind, t.source, t.code, t.from_date, t.to_date, $today AS said_on, t.source_row
    FROM status.evidence_tonight t
    JOIN known k ON k.person = t.person
    WHERE k.birth_date > $born_to AND t.source NOT IN ('in_school', 'absences') AND t.person NOT IN (SELECT person FROM ours)
    UNION ALL
    SELECT CASE WHEN k.person IS NULL THEN w.id_number ELSE k.id_number END, CASE WHEN k.person IS NULL THEN w.name ELSE k.name END,
           CASE WHEN k.person IS NULL THEN w.sex ELSE k.sex END, CASE WHEN k.person IS NULL THEN w.birth_date ELSE k.birth_date END,
           w.kind, w.source, w.code, w.from_date, w.to_date, w.said_on, w.source_row
    FROM standard.waiting_before w
    LEFT JOIN status.attributed a ON a.source = w.source AND a.row = w.row
    LEFT JOIN known k ON k.person = a.person
    LEFT JOIN (
        SELECT person, max(from_date) AS crossed_on FROM status.evidence_tonight WHERE kind IN ('abroad', 'come_back') GROUP BY person
    ) x ON x.person = a.person
    WHERE (a.person IS NULL OR a.person NOT IN (SELECT person FROM ours)) AND w.birth_date >= $born_from
      AND (w.source NOT IN (SELECT source FROM status.sources_tonight)
           OR w.kind IN ('abroad', 'come_back') AND (x.crossed_on IS NULL OR x.crossed_on < w.from_date))
)
SELECT waiting, id_number, name, sex, birth_date, kind, source, code, from_date, to_date,
       CASE WHEN p.waiting IS NULL THEN min(s.said_on) ELSE any_value(p.said_on) END AS said_on,
       CASE WHEN p.waiting IS NULL THEN arg_min(s.source_row, (s.said_on, s.source_row)) ELSE any_value(p.source_row) END AS source_row
FROM (
    SELECT *, sha256(concat_ws(chr(31), source, kind, coalesce(code, ''), coalesce(cast(from_date AS VARCHAR), ''), coalesce(cast(to_date AS VARCHAR), ''),
                               coalesce(id_number, ''), coalesce(name, ''), coalesce(sex, ''), cast(birth_date AS VARCHAR))) AS waiting
    FROM standing
    WHERE to_date IS NULL OR to_date >= $today
) s
LEFT JOIN (SELECT waiting, said_on, source_row FROM previous_waiting_evidence) p USING (waiting)
GROUP BY waiting, p.waiting, id_number, name, sex, birth_date, kind, source, code, from_date, to_date
ORDER BY waiting
