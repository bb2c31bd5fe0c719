-- The persons of the population side who can be pupils, one row each. `other_key` is a number that the same person bears on another
-- row: the one before a correction, that of a second registration, or one that was struck off for the kept one (重户).
SELECT r.person, k.ref, k.population_type, k.row, k.is_live, k.state, k.folded, k.pinyin, k.name_key, k.sex, k.birth_date,
       CASE WHEN s.ref IS NULL THEN k.id_key END AS id_key, coalesce(o.other_key, f.former_key) AS other_key,
       s.ref IS NOT NULL AS number_is_shared
FROM standard.kept_rows r
JOIN standard.population_keys k ON k.ref = r.ref
LEFT JOIN standard.shared_numbers s ON s.ref = k.ref
LEFT JOIN (
    SELECT g.person, max(other.id_key) AS other_key
    FROM standard.person_groups g
    JOIN standard.population_keys other ON other.ref = g.ref
    JOIN standard.kept_rows kept ON kept.person = g.person
    JOIN standard.population_keys mine ON mine.ref = kept.ref
    WHERE mine.id_key IS NULL OR other.id_key <> mine.id_key
    GROUP BY g.person
) o ON o.person = r.person
LEFT JOIN (
    SELECT coalesce(g.person, f.ref) AS person, max(f.former_key) AS former_key
    FROM standard.former_numbers f
    LEFT JOIN standard.person_groups g ON g.ref = f.ref
    GROUP BY coalesce(g.person, f.ref)
) f ON f.person = r.person
