-- 重户: numbers that were struck off for one that is kept, with the name and birth date they were struck off under; none that was undone since.
SELECT d.id_number, d.id_valid, d.kept_id_number, d.name, cast(NULL AS STRING) AS former_name, cast(NULL AS STRING) AS sex, d.birth_date
FROM landed.deregistrations d
LEFT JOIN (
    SELECT id_number, max(occurred_on) AS undone_on
    FROM landed.deregistrations
    WHERE kind = '重户' AND reversal_flag <> '0'
    GROUP BY id_number
) u ON u.id_number = d.id_number AND u.undone_on >= d.occurred_on
WHERE d.kind = '重户' AND (d.reversal_flag IS NULL OR d.reversal_flag = '0') AND d.id_valid AND d.kept_id_number IS NOT NULL
  AND u.id_number IS NULL
