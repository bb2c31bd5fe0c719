-- Numbers that were struck off for another that is kept (保留的公民身份号码), with the name and birth date they were struck off under; none that was
-- undone since. A death, a removal or an emigration is a person's, whatever number stands beside it.
SELECT d.row, d.id_number, d.id_valid, d.kept_id_number, d.name, cast(NULL AS STRING) AS former_name, cast(NULL AS STRING) AS sex, d.birth_date
FROM landed.deregistrations d
LEFT JOIN (
    SELECT kind, id_number, max(occurred_on) AS undone_on
    FROM landed.deregistrations
    WHERE id_valid AND reversal_flag <> '0'
    GROUP BY kind, id_number
) u ON u.id_number = d.id_number AND u.kind = d.kind AND coalesce(u.undone_on >= d.occurred_on, true)
WHERE d.kind IN ('重户', '删除', '其他') AND (d.reversal_flag IS NULL OR d.reversal_flag = '0')
  AND d.kept_id_number <> d.id_number AND u.id_number IS NULL
