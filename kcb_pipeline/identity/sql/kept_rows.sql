-- The row that stands for each person of the population side who can be a pupil: a row on its own, or of a group's rows the first,
-- live before not, 户籍 before 流动, latest update, with a number before without, then by what stands in them: a total order.
SELECT k.ref AS person, k.ref
FROM standard.population_keys k
WHERE (k.birth_date IS NULL OR k.birth_date >= $born_from) AND k.ref NOT IN (SELECT ref FROM standard.person_groups)
UNION ALL
SELECT person, ref
FROM (
    SELECT g.person, k.ref,
           row_number() OVER (
               PARTITION BY g.person
               ORDER BY k.is_live DESC, k.population_type, u.updated_at DESC NULLS LAST, k.id_key IS NULL, o.place
           ) AS nth
    FROM standard.person_groups g
    JOIN standard.population_keys k ON k.ref = g.ref
    JOIN standard.group_order o ON o.ref = k.ref
    LEFT JOIN (SELECT 2 * row AS ref, updated_at FROM landed.population) u ON u.ref = k.ref
    WHERE k.birth_date IS NULL OR k.birth_date >= $born_from
) ranked
WHERE nth = 1
