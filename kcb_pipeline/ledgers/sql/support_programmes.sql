-- 五项行动: every entry of a child, tonight's word before the one of before; what the source lists no longer stays in and says so.
SELECT e.child_id, e.programme, e.entered_on, e.level, o.office AS responsible_office, e.assessed_on, e.assessment, e.left_on,
       CASE WHEN e.left_on <= $today THEN 'left' ELSE 'in' END AS state,
       CASE WHEN e.left_on <= $today AND (e.assessment IS NULL OR e.assessment <> '合格' OR e.assessed_on IS NULL OR e.assessed_on > e.left_on)
            THEN 'left_unassessed'
            WHEN NOT e.is_listed AND (e.left_on IS NULL OR e.left_on > $today) THEN 'no_longer_listed' END AS finding,
       CASE WHEN e.left_on <= $today THEN e.left_on + $follow_up_days END AS follow_up_until
FROM (
    SELECT coalesce(t.child_id, p.child_id) AS child_id, coalesce(t.programme, p.programme) AS programme,
           coalesce(t.entered_on, p.entered_on) AS entered_on, coalesce(t.level, p.level) AS level,
           coalesce(t.assessed_on, p.assessed_on) AS assessed_on, coalesce(t.assessment, p.assessment) AS assessment,
           coalesce(t.left_on, p.left_on) AS left_on,
           t.child_id IS NOT NULL OR n.sent = 0 AND coalesce(p.finding, '') <> 'no_longer_listed' AS is_listed
    FROM (
        SELECT c.child_id, v.programme, v.entered_on, v.level, v.assessed_on, v.assessment, v.left_on,
               row_number() OVER (PARTITION BY c.child_id, v.programme, v.entered_on
                                  ORDER BY v.left_on DESC NULLS LAST, v.assessed_on DESC NULLS LAST, v.assessment NULLS LAST, v.level NULLS LAST) AS nth
        FROM landed.support_programmes v
        JOIN status.attributed a ON a.source = 'support_programmes' AND a.row = v.row
        JOIN standard.children c ON c.person = a.person
        WHERE v.programme IS NOT NULL AND v.entered_on IS NOT NULL
    ) t
    FULL JOIN previous_support_programmes p ON p.child_id = t.child_id AND p.programme = t.programme AND p.entered_on = t.entered_on
    CROSS JOIN (SELECT count(*) AS sent FROM status.sources_tonight WHERE source = 'support_programmes') n
    WHERE t.nth = 1 OR t.nth IS NULL
) e
LEFT JOIN draft.offices o ON o.programme = e.programme AND o.level = e.level
