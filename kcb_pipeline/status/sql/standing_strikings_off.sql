-- The rows of 户口注销 that stand: not reversed themselves, nor undone on their day or later by a row of that kind about the same person or number.
-- Where the day of either cannot be read nobody can say which came last, and the striking-off is undone.
SELECT d.row
FROM landed.deregistrations d
LEFT JOIN status.attributed a ON a.source = 'deregistrations' AND a.row = d.row
LEFT JOIN (
    SELECT r.kind, x.person, max(r.occurred_on) AS undone_on
    FROM landed.deregistrations r JOIN status.attributed x ON x.source = 'deregistrations' AND x.row = r.row
    WHERE r.reversal_flag <> '0' GROUP BY r.kind, x.person
) p ON p.person = a.person AND p.kind = d.kind AND coalesce(p.undone_on >= d.occurred_on, true)
LEFT JOIN (
    SELECT r.kind, r.id_number, max(r.occurred_on) AS undone_on
    FROM landed.deregistrations r
    WHERE r.id_valid AND r.reversal_flag <> '0' GROUP BY r.kind, r.id_number
) n ON n.id_number = d.id_number AND n.kind = d.kind AND coalesce(n.undone_on >= d.occurred_on, true)
WHERE (d.reversal_flag IS NULL OR d.reversal_flag = '0') AND p.person IS NULL AND n.id_number IS NULL
