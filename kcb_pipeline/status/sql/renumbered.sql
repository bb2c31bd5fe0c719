-- Live records whose schools report under a number that stands in no registry record tonight and that one child bore in a version before: a
-- temporary number (L) that gave way to a formal one (G). Of a child with several live records it could be any one's, and says nothing.
SELECT min(p.registry_row) AS registry_row, u.student_number
FROM (
    SELECT DISTINCT r.student_number
    FROM (SELECT student_number FROM landed.in_school UNION ALL SELECT student_number FROM landed.absences) r
    LEFT JOIN (SELECT DISTINCT student_number FROM landed.student_registry) k ON k.student_number = r.student_number
    WHERE r.student_number IS NOT NULL AND k.student_number IS NULL
) u
JOIN (
    SELECT child_id, student_number FROM previous_child_facts
    UNION ALL
    SELECT child_id, student_number FROM previous_identities
) b ON b.student_number = u.student_number
JOIN standard.children c ON c.child_id = b.child_id
JOIN status.pupil_rows p ON p.person = c.person AND p.is_live
GROUP BY u.student_number
HAVING count(DISTINCT p.registry_row) = 1
