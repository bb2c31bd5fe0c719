-- 重复学籍: two live records of one pupil: the one that is shown for the child, or stands for a pupil who is nobody's child here, and
-- each other live one.
SELECT c.child_id, kept.row AS registry_row, kept.student_number, kept.school_code, other.row AS duplicate_registry_row,
       other.student_number AS duplicate_student_number, other.school_code AS duplicate_school_code,
       CASE WHEN other.student_number = kept.student_number THEN 'same_student_number'
            WHEN other.id_number = kept.id_number THEN 'same_id_number'
            ELSE 'same_identity' END AS reason
FROM (
    SELECT p.person, n.registry_row AS kept_row, p.registry_row AS other_row
    FROM status.pupil_rows p JOIN status.enrolments n ON n.person = p.person AND n.is_live
    WHERE p.is_live AND p.registry_row <> n.registry_row
    UNION ALL
    SELECT NULL, s.row, k.row
    FROM standard.student_groups g
    JOIN standard.students s ON s.student = g.student AND s.is_live
    JOIN standard.registry_keys k ON k.row = g.row AND k.is_live AND k.row <> s.row
    WHERE g.student NOT IN (SELECT student FROM matched.links WHERE decision = 'linked')
      AND g.student NOT IN (SELECT student FROM matched.further_records)
) d
JOIN landed.student_registry kept ON kept.row = d.kept_row
JOIN landed.student_registry other ON other.row = d.other_row
LEFT JOIN standard.children c ON c.person = d.person
