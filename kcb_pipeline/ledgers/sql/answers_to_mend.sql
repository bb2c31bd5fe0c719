-- 待补正: everything of the returned forms that could not be taken as it stands, by file and cell. A cell that could not be understood is
-- named once, as what it is, and not again as missing.
WITH found AS (
    SELECT file, source_row AS row, "column", rule FROM draft.refused_verifications
    UNION
    SELECT file, row, "column", rule FROM landed.cell_issues WHERE source = 'verifications' AND rule <> 'control_characters'
    UNION
    SELECT q.file, q.row, q."column", q.rule
    FROM landed.quarantined_rows q
    LEFT JOIN landed.cell_issues i
           ON i.source = q.source AND i.row = q.row AND i."column" = q."column" AND i.rule <> 'control_characters'
    WHERE q.source = 'verifications' AND i.row IS NULL
)
SELECT f.file, f.row, concat(f.file, '!', coalesce(c.letter, ''), cast(r.line AS VARCHAR)) AS cell, v.case_id, f."column", f.rule
FROM found f
JOIN landed.form_rows r ON r.source = 'verifications' AND r.row = f.row
LEFT JOIN landed.form_columns c ON c.source = 'verifications' AND c.file = f.file AND c."column" = f."column"
LEFT JOIN landed.verifications v ON v.row = f.row
