-- The persons of the population side who can be pupils, one row each. `other_key` is a number that the same person bears on another
-- row: the one before a correction, or that of a second registration.
SELECT r.person, k.ref, k.population_type, k.row, k.is_live, k.state, k.folded, k.pinyin, k.name_key, k.sex, k.birth_date,
       CASE WHEN s.ref IS NULL THEN k.id_key END AS id_key, o.other_key, s.ref IS NOT NULL AS number_is_shared
FROM standard.kept_rows r
JOIN standard.population_keys k ON k.ref = r.ref
LEFT JOIN standard.shared_numbers s ON s.ref = k.ref
LEFT JOIN (
    SELECT g.person, max(other.id_key) AS other_key
    FROM standard.person_groups g
    JOIN standard.population_keys other ON other.ref = g.ref
    JOIN standard.kept_rows kept ON kept.person = g.person
    JOIN standard.population_keys mine ON mine.ref = kept.ref
    WHERE other.id_key IS NOT NULL AND (mine.id_key IS NULL OR other.id_key <> mine.id_key)
    GROUP BY g.person
) o ON o.person = r.person
