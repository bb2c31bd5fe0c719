-- The persons of the population side who can be pupils: one row each, the row that is kept of every group of rows.
-- Live before not, 户籍 before 流动, latest update, lowest row.
SELECT ranked.person, ranked.ref, ranked.population_type, ranked.row, ranked.is_live, ranked.state, ranked.folded, ranked.pinyin,
       ranked.name_key, ranked.sex, ranked.birth_date,
       CASE WHEN s.ref IS NULL THEN ranked.id_key END AS id_key, s.ref IS NOT NULL AS number_is_shared
FROM (
    SELECT k.*, coalesce(g.person, k.ref) AS person,
           row_number() OVER (
               PARTITION BY coalesce(g.person, k.ref)
               ORDER BY k.is_live DESC, k.population_type, u.updated_at DESC NULLS LAST, k.row
           ) AS nth
    FROM standard.population_keys k
    LEFT JOIN standard.person_groups g ON g.ref = k.ref
    LEFT JOIN (SELECT 2 * row AS ref, updated_at FROM landed.population) u ON u.ref = k.ref
    WHERE k.birth_date IS NULL OR k.birth_date >= $born_from
) ranked
LEFT JOIN standard.shared_numbers s ON s.ref = ranked.ref
WHERE ranked.nth = 1
