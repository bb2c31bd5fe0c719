-- Population-side rows that share a valid ID number with another row, the row that best speaks for its person first.
-- Live before not, 户籍 before 流动, latest update, lowest row: a total order.
SELECT k.id_key, k.ref, k.population_type, k.row, k.name_key, k.former_folded, k.folded, k.birth_date, k.sex, k.is_live,
       row_number() OVER (
           PARTITION BY k.id_key
           ORDER BY k.is_live DESC, k.population_type, u.updated_at DESC NULLS LAST, k.row
       ) AS nth
FROM standard.population_keys k
JOIN (SELECT id_key FROM standard.population_keys WHERE id_key IS NOT NULL GROUP BY id_key HAVING count(*) > 1) g
  ON g.id_key = k.id_key
LEFT JOIN (SELECT 2 * row AS ref, updated_at FROM landed.population) u ON u.ref = k.ref
