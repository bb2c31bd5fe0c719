-- Whose numbers became one, and which came apart: a child merged into another (双重户籍), or split off from it.
SELECT child_id, former_child_id, reason, version FROM previous_child_lineage
UNION ALL
SELECT child_id, former_child_id, reason, NULL::INTEGER
FROM (
    SELECT s.duplicate_of AS child_id, s.child_id AS former_child_id, 'merged' AS reason
    FROM status.child_statuses s WHERE s.reason = 'duplicate_registration'
    UNION
    SELECT c.child_id, d.child_id, 'split'
    FROM standard.children c
    JOIN standard.persons p ON p.person = c.person
    JOIN (
        SELECT 2 * row AS ref, id_number FROM landed.population UNION ALL SELECT 2 * row + 1, id_number FROM landed.residents
    ) l ON l.ref = p.ref
    JOIN previous_duplicate_persons d ON d.duplicate_id_number = l.id_number AND d.child_id <> c.child_id
    WHERE c.how = 'new'
    UNION
    SELECT m.former_child_id, m.child_id, 'split'
    FROM previous_child_lineage m
    JOIN status.child_statuses s ON s.child_id = m.former_child_id AND s.is_live
    WHERE m.reason = 'merged'
) tonight
WHERE (child_id, former_child_id, reason) NOT IN (SELECT (child_id, former_child_id, reason) FROM previous_child_lineage)
