-- One row a child with evidence: what stands today, each kind on its own. Of several rows of a kind one is quoted, with its day and all that it says:
-- the latest, of approvals the one that holds longest; what strikes a child off for good before what only moves it.
SELECT e.child_id,
       max(CASE WHEN e.topic = 'struck_off' THEN e.from_date END) AS struck_off_on,
       max(CASE WHEN e.topic = 'struck_off' THEN e.code END) AS struck_off_kind,
       max(CASE WHEN e.topic = 'struck_off' THEN e.source_row END) AS struck_off_row,
       max(CASE WHEN e.topic = 'abroad' THEN e.from_date END) AS abroad_since,
       max(CASE WHEN e.topic = 'abroad' THEN e.source_row END) AS abroad_row,
       max(CASE WHEN e.topic = 'come_back' THEN e.from_date END) AS came_back_on,
       max(CASE WHEN e.topic = 'leave' THEN e.to_date END) AS leave_until,
       max(CASE WHEN e.topic = 'leave' THEN e.source_row END) AS leave_row,
       max(CASE WHEN e.topic = 'leave' THEN e.from_date END) AS leave_from,
       max(CASE WHEN e.topic = 'leave_ended' THEN e.to_date END) AS leave_ended_on,
       max(CASE WHEN e.topic = 'deferral' THEN e.to_date END) AS deferred_until,
       max(CASE WHEN e.topic = 'deferral' THEN e.source_row END) AS deferral_row,
       max(CASE WHEN e.topic = 'deferral_ended' THEN e.to_date END) AS deferral_ended_on,
       max(CASE WHEN e.topic = 'deferral_ended' THEN e.source_row END) AS deferral_ended_row,
       max(CASE WHEN e.topic = 'exemption' THEN e.source_row END) AS exemption_row,
       max(CASE WHEN e.topic = 'elsewhere' THEN e.from_date END) AS elsewhere_on,
       max(CASE WHEN e.topic = 'elsewhere' THEN e.source_row END) AS elsewhere_row,
       max(CASE WHEN e.topic = 'specialised' THEN e.source_row END) AS specialised_row,
       max(CASE WHEN e.kind = 'disability' THEN 1 ELSE 0 END) AS is_disabled,
       max(CASE WHEN e.topic = 'placement' THEN e.code END) AS disability_placement,
       max(CASE WHEN e.topic = 'placement' THEN e.source_row END) AS disability_row,
       max(CASE WHEN e.kind = 'poverty' AND e.code IN ('脱贫户', '监测户', '低保', '特困') THEN 1 ELSE 0 END) AS is_poor,
       max(CASE WHEN e.topic = 'absent' THEN e.from_date END) AS absent_from,
       max(CASE WHEN e.topic = 'absent' THEN e.to_date END) AS absent_to,
       max(CASE WHEN e.topic = 'absent' THEN e.source_row END) AS absent_row,
       max(CASE WHEN e.topic = 'long_leave' THEN e.from_date END) AS long_leave_from,
       max(CASE WHEN e.topic = 'long_leave' THEN e.to_date END) AS long_leave_to,
       max(CASE WHEN e.topic = 'long_leave' THEN e.source_row END) AS long_leave_row,
       max(CASE WHEN e.topic = 'not_in_headcount' THEN e.from_date END) AS missed_headcount_on
FROM (
    -- `topic` is what a row says today, and stands on one row of each kind alone: the one that is quoted
    SELECT child_id, kind, code, from_date, to_date, source_row, CASE WHEN nth = 1 THEN topic END AS topic
    FROM (
        SELECT t.child_id, t.kind, t.topic, t.code, t.from_date, t.to_date, t.source_row,
               row_number() OVER (
                   PARTITION BY t.child_id, t.topic
                   ORDER BY CASE WHEN t.topic = 'struck_off' AND t.code = '迁出' THEN 1 ELSE 0 END,
                            CASE WHEN t.topic = 'placement' THEN t.code END DESC NULLS LAST,
                            CASE WHEN t.kind IN ('approval', 'absent') THEN t.to_date ELSE t.from_date END DESC NULLS LAST,
                            t.from_date DESC NULLS LAST, t.to_date DESC NULLS LAST, t.code NULLS LAST, t.source_row NULLS LAST
               ) AS nth
        FROM (
            SELECT e.child_id, e.kind, e.code, e.from_date, e.to_date, e.source_row,
                   CASE
                     WHEN e.kind IN ('struck_off', 'abroad', 'come_back', 'absent') THEN e.kind
                     -- 免学 without an end holds until the office sends another word; a leave or deferral without one has no term to be within
                     WHEN e.kind = 'approval' AND coalesce(e.from_date, $today) <= $today
                          AND (e.to_date >= $today OR e.to_date IS NULL AND e.code = '免学')
                       THEN CASE e.code WHEN '休学' THEN 'leave' WHEN '延缓入学' THEN 'deferral' WHEN '免学' THEN 'exemption' END
                     WHEN e.kind = 'approval' AND e.to_date < $today
                       THEN CASE e.code WHEN '休学' THEN 'leave_ended' WHEN '延缓入学' THEN 'deferral_ended' END
                     WHEN e.kind IN ('elsewhere', 'long_leave') AND e.to_date >= $today THEN e.kind
                     WHEN e.kind = 'programme' AND e.code = '专门教育' AND coalesce(e.from_date, $today) <= $today
                          AND (e.to_date IS NULL OR e.to_date > $today) THEN 'specialised'
                     WHEN e.kind = 'disability' AND e.code IN ('特教学校', '特教班', '送教上门') THEN 'placement'
                     WHEN e.kind = 'not_in_headcount' AND e.from_date + $headcount_days >= $today THEN e.kind
                   END AS topic
            FROM status.evidence e
            WHERE e.kind NOT IN ('present', 'days_missed', 'residence')
        ) t
    ) ranked
) e
GROUP BY e.child_id
