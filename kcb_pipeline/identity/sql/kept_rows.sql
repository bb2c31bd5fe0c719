-- The row that stands for each person of the population side who can be a pupil.
-- Live before not, 户籍 before 流动, latest update, lowest row: a total order.
SELECT person, ref
FROM (
    SELECT coalesce(g.person, k.ref) AS person, k.ref,
           row_number() OVER (
               PARTITION BY coalesce(g.person, k.ref)
               ORDER BY k.is_live DESC, k.population_type, u.updated_at DESC NULLS LAST, k.row
           ) AS nth
    FROM standard.population_keys k
    LEFT JOIN standard.person_groups g ON g.ref = k.ref
    LEFT JOIN (SELECT 2 * row AS ref, updated_at FROM landed.population) u ON u.ref = k.ref
    WHERE k.birth_date IS NULL OR k.birth_date >= $born_from
) ranked
WHERE nth = 1
