-- Who is counted: live persons of compulsory-education age tonight, and the children of the version before who are no longer live,
-- until past school age. `duplicate_of`: the child that one is counted as, where it is the same person under another number.
SELECT c.child_id, c.person, p.population_type, p.row AS population_row, true AS is_live, p.state, p.birth_date, p.sex, w.child_id AS duplicate_of
FROM standard.children c
JOIN standard.persons p ON p.person = c.person
LEFT JOIN (
    -- struck off under one number and kept under another, and the row under the first is still there
    SELECT a.person, min(o.child_id) AS child_id
    FROM landed.deregistrations v
    JOIN status.standing_strikings_off f ON f.row = v.row
    JOIN status.attributed a ON a.source = 'deregistrations' AND a.row = v.row
    JOIN standard.persons s ON s.person = a.person
    JOIN landed.population k ON k.id_number = v.kept_id_number AND k.id_valid
    LEFT JOIN standard.person_groups g ON g.ref = 2 * k.row
    JOIN standard.persons t ON t.person = coalesce(g.person, 2 * k.row) AND t.is_live AND t.birth_date = s.birth_date
    JOIN standard.children o ON o.person = t.person
    WHERE v.row IN (SELECT row FROM standard.numbers_struck_off) AND t.person <> s.person
    GROUP BY a.person
) w ON w.person = c.person
WHERE p.is_live AND p.birth_date BETWEEN $born_from AND $born_to
UNION ALL
SELECT f.child_id, c.person, coalesce(p.population_type, f.population_type), CASE WHEN p.row > 0 THEN p.row END, false, coalesce(p.state, 'gone'), f.birth_date, f.sex,
       coalesce(d.child_id, m.child_id)
FROM previous_child_facts f
LEFT JOIN standard.children c ON c.child_id = f.child_id
LEFT JOIN standard.persons p ON p.person = c.person
LEFT JOIN (
    -- two children who have become one person: the number, birth date and name of the one stand in a row of the other. A number that two
    -- people share tells nothing, and a sibling's row does not close the case of who is missing.
    SELECT x.child_id AS former_child_id, min(c.child_id) AS child_id
    FROM standard.gone_children x
    JOIN standard.population_keys k ON k.id_key = x.id_key AND k.birth_date = x.birth_date
         AND (k.folded = x.folded OR k.pinyin = x.pinyin OR k.former_folded = x.folded)
    JOIN standard.person_groups g ON g.ref = k.ref
    JOIN standard.children c ON c.person = g.person
    LEFT JOIN standard.shared_numbers s ON s.ref = k.ref
    WHERE s.ref IS NULL GROUP BY x.child_id
) d ON d.former_child_id = f.child_id
LEFT JOIN (
    -- struck off under one number, kept under another
    SELECT v.id_number, min(c.child_id) AS child_id
    FROM landed.deregistrations v
    JOIN status.standing_strikings_off t ON t.row = v.row
    JOIN landed.population k ON k.id_number = v.kept_id_number AND k.id_valid
    LEFT JOIN standard.person_groups g ON g.ref = 2 * k.row
    JOIN standard.children c ON c.person = coalesce(g.person, 2 * k.row)
    WHERE v.row IN (SELECT row FROM standard.numbers_struck_off)
    GROUP BY v.id_number
) m ON m.id_number = f.id_number AND m.child_id <> f.child_id
WHERE (p.person IS NULL OR NOT p.is_live) AND f.birth_date BETWEEN $born_from AND $born_to
