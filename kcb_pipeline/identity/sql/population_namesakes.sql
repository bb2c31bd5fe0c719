-- Population-side rows with the same name, birth date and sex but not the same number, one of them live at least: one child
-- registered twice or under a number that was corrected, or two children.
SELECT a.ref AS ref_a, b.ref AS ref_b
FROM standard.population_keys a
JOIN standard.population_keys b
  ON b.folded = a.folded AND b.birth_date = a.birth_date AND b.sex = a.sex AND b.ref > a.ref
WHERE (a.is_live OR b.is_live) AND (a.id_key IS NULL OR b.id_key IS NULL OR a.id_key <> b.id_key)
  AND a.birth_date >= $born_from AND b.birth_date >= $born_from
