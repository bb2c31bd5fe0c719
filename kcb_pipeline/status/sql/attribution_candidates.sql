-- For every row of evidence, the persons it may speak of: by number (that of before a correction too), by student number, by the number
-- after a G, by name and birth date; the children of the version before who have left the population side among them: what struck them off
-- often comes the night they leave. Name and birth date tell nobody who bears a number where a number stands beside them that is nobody's here:
-- that is a namesake of another number. Each with a name they are known by, whether what is written is a name of before, and whether the birth
-- date that was written agrees: one that comes from the number itself says no more than the number.
WITH numbered AS (
    SELECT e.source, e.row, coalesce(g.person, k.ref) AS person, 1 AS rank, k.name_key, k.former_folded, k.birth_date
    FROM standard.evidence_keys e
    JOIN standard.population_keys k ON k.id_key = e.id_key
    LEFT JOIN standard.person_groups g ON g.ref = k.ref
    UNION ALL
    SELECT e.source, e.row, b.person, 1, k.name_key, k.former_folded, k.birth_date
    FROM standard.evidence_keys e
    JOIN standard.numbers_before b ON b.former_key = e.id_key
    JOIN standard.persons s ON s.person = b.person
    JOIN standard.population_keys k ON k.ref = s.ref
    UNION ALL
    SELECT e.source, e.row, p.person, 2, k.name_key, n.former_folded, k.birth_date
    FROM standard.evidence_keys e
    JOIN status.pupil_rows p ON p.student_number = e.student_number
    JOIN standard.persons k ON k.person = p.person
    JOIN standard.population_keys n ON n.ref = k.ref
    UNION ALL
    SELECT e.source, e.row, coalesce(g.person, k.ref), 3, k.name_key, k.former_folded, k.birth_date
    FROM standard.evidence_keys e
    JOIN standard.population_keys k ON k.id_key = e.second_key
    LEFT JOIN standard.person_groups g ON g.ref = k.ref
    UNION ALL
    SELECT e.source, e.row, c.person, 1, c.name_key, c.former_folded, c.birth_date
    FROM standard.evidence_keys e
    JOIN standard.gone_children c ON c.id_key = e.id_key
), known AS (
    SELECT person, id_key, name_key, folded, pinyin, birth_date, sex FROM standard.persons
    UNION ALL
    SELECT person, id_key, name_key, folded, pinyin, birth_date, sex FROM standard.gone_children
    UNION ALL
    SELECT b.person, s.id_key, b.name_key, b.folded, b.pinyin, s.birth_date, s.sex
    FROM standard.names_before b JOIN standard.persons s ON s.person = b.person
)
SELECT n.source, n.row, n.person, n.rank, e.name_key, n.name_key AS their_name,
       e.folded = n.former_folded AS is_known_name, e.written_birth = n.birth_date AS same_birth
FROM numbered n
JOIN standard.evidence_keys e ON e.source = n.source AND e.row = n.row
UNION ALL
-- The name by which the registry has them.
SELECT n.source, n.row, n.person, n.rank, e.name_key, r.name_key, e.folded = r.former_folded, false
FROM numbered n
JOIN standard.evidence_keys e ON e.source = n.source AND e.row = n.row
JOIN status.pupil_rows p ON p.person = n.person
JOIN standard.registry_keys r ON r.row = p.registry_row
UNION ALL
-- The names by which the versions before had them.
SELECT n.source, n.row, n.person, n.rank, e.name_key, b.name_key, NULL, false
FROM numbered n
JOIN standard.evidence_keys e ON e.source = n.source AND e.row = n.row
JOIN standard.names_before b ON b.person = n.person
UNION ALL
SELECT m.source, m.row, m.person, m.rank, m.name_key, m.their_name, true, true
FROM (
    SELECT e.source, e.row, e.id_key, k.person, k.id_key AS their_key, 4 AS rank, e.name_key, k.name_key AS their_name
    FROM standard.evidence_keys e
    JOIN known k ON k.folded = e.folded AND k.birth_date = e.birth_date AND (e.sex IS NULL OR k.sex IS NULL OR k.sex = e.sex)
    UNION ALL
    SELECT e.source, e.row, e.id_key, k.person, k.id_key, 5, e.name_key, k.name_key
    FROM standard.evidence_keys e
    JOIN known k ON k.pinyin = e.pinyin AND k.birth_date = e.birth_date AND (e.sex IS NULL OR k.sex IS NULL OR k.sex = e.sex)
) m
LEFT JOIN (SELECT DISTINCT source, row FROM numbered WHERE rank = 1) b ON b.source = m.source AND b.row = m.row
LEFT JOIN (
    SELECT DISTINCT p.person, r.id_key
    FROM status.pupil_rows p JOIN standard.registry_keys r ON r.row = p.registry_row
) o ON o.person = m.person AND o.id_key = m.id_key
WHERE m.id_key IS NULL OR m.their_key IS NULL OR b.row IS NOT NULL OR o.person IS NOT NULL
