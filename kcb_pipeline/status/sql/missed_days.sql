-- Every row of the schools' reports of absences with the live record it speaks of: of a pupil who has several under one number that of the
-- school that reports, and each of them where it is none of theirs (a school whose code has changed, or where the pupil was before).
-- Under a number that several persons share it speaks of the one who is at that school, or of nobody: the reports have no names.
-- And of the record whose pupil bore the number before. `reported_by` is the school whose report it is, by its own code.
SELECT p.registry_row, a.row, a.absent_on, a.kind, a.leave_from, a.leave_to, coalesce(a.school_code, p.school_code) AS reported_by
FROM landed.absences a
JOIN status.pupil_rows p ON p.student_number = a.student_number AND p.is_live
LEFT JOIN (SELECT DISTINCT student_number, school_code FROM status.pupil_rows WHERE is_live) o
  ON o.student_number = a.student_number AND o.school_code = a.school_code
LEFT JOIN status.shared_numbers n ON n.registry_row = p.registry_row
WHERE n.registry_row IS NULL AND (o.school_code IS NULL OR o.school_code = p.school_code)
   OR n.is_told_by_school AND n.school_code = a.school_code
UNION ALL
SELECT p.registry_row, a.row, a.absent_on, a.kind, a.leave_from, a.leave_to, coalesce(a.school_code, p.school_code)
FROM landed.absences a
JOIN status.renumbered n ON n.student_number = a.student_number
JOIN status.pupil_rows p ON p.registry_row = n.registry_row AND p.is_live
