-- Population-side rows with the same name, birth date and sex but not the same number, one of them live at least: one child
-- registered twice or under a number that was corrected, or two children. An earlier row of one household needs no birth date: it may be
-- what was corrected. `is_of_household`: an earlier row of one household and birth date, which is the child's whatever guardians it names.
WITH pupils AS (SELECT * FROM standard.population_keys WHERE birth_date >= $born_from),
-- Few rows are earlier ones, so the register is asked for their households only: joined with itself it is larger than memory.
earlier AS (SELECT ref, row, folded, sex, birth_date, id_key FROM pupils WHERE NOT is_live AND ref % 2 = 0),
placed AS (
    SELECT e.ref, e.folded, e.sex, e.birth_date, e.id_key, p.household_id FROM landed.population p JOIN earlier e ON e.row = p.row
    WHERE p.household_id IS NOT NULL
),
housemates AS (
    SELECT a.ref AS ref_a, b.ref AS ref_b, a.id_key, a.birth_date = b.birth_date AS is_of_household
    FROM (SELECT p.row, p.household_id FROM landed.population p SEMI JOIN placed o ON o.household_id = p.household_id) h
    JOIN placed a ON a.household_id = h.household_id
    JOIN pupils b ON b.ref % 2 = 0 AND b.row = h.row AND b.folded = a.folded AND b.sex = a.sex
    WHERE b.is_live AND (a.id_key IS NULL OR b.id_key IS NULL OR a.id_key <> b.id_key)
),
-- A number that a live row bears says whose earlier row it is: not a sister's who was given the name since.
borne AS (SELECT k.id_key FROM standard.population_keys k SEMI JOIN housemates h ON h.id_key = k.id_key WHERE k.is_live)
SELECT ref_a, ref_b, max(is_of_household) AS is_of_household
FROM (
    SELECT a.ref AS ref_a, b.ref AS ref_b, false AS is_of_household
    FROM pupils a
    JOIN pupils b ON b.folded = a.folded AND b.birth_date = a.birth_date AND b.sex = a.sex AND b.ref > a.ref
    WHERE (a.is_live OR b.is_live) AND (a.id_key IS NULL OR b.id_key IS NULL OR a.id_key <> b.id_key)
    UNION ALL
    SELECT least(h.ref_a, h.ref_b), greatest(h.ref_a, h.ref_b), h.is_of_household
    FROM housemates h ANTI JOIN borne ON borne.id_key = h.id_key
) pairs
GROUP BY ref_a, ref_b
