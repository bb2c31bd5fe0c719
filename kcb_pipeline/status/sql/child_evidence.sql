-- One row a child with evidence: what stands today, each kind on its own.
SELECT e.child_id,
       max(CASE WHEN e.kind = 'struck_off' THEN e.from_date END) AS struck_off_on,
       max(CASE WHEN e.kind = 'struck_off' THEN e.code END) AS struck_off_kind,
       max(CASE WHEN e.kind = 'struck_off' THEN e.source_row END) AS struck_off_row,
       max(CASE WHEN e.kind = 'struck_off' AND e.code <> '迁出' THEN e.from_date END) AS struck_off_for_good_on,
       max(CASE WHEN e.kind = 'abroad' THEN e.from_date END) AS abroad_since,
       max(CASE WHEN e.kind = 'abroad' THEN e.source_row END) AS abroad_row,
       max(CASE WHEN e.kind = 'come_back' THEN e.from_date END) AS came_back_on,
       max(CASE WHEN e.kind = 'approval' AND e.code = '休学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.to_date END) AS leave_until,
       max(CASE WHEN e.kind = 'approval' AND e.code = '休学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.source_row END) AS leave_row,
       max(CASE WHEN e.kind = 'approval' AND e.code = '休学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.from_date END) AS leave_from,
       max(CASE WHEN e.kind = 'approval' AND e.code = '休学' AND e.to_date < $today THEN e.to_date END) AS leave_ended_on,
       max(CASE WHEN e.kind = 'approval' AND e.code = '延缓入学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.to_date END) AS deferred_until,
       max(CASE WHEN e.kind = 'approval' AND e.code = '延缓入学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.source_row END) AS deferral_row,
       max(CASE WHEN e.kind = 'approval' AND e.code = '延缓入学' AND e.to_date < $today THEN e.to_date END) AS deferral_ended_on,
       max(CASE WHEN e.kind = 'approval' AND e.code = '延缓入学' AND e.to_date < $today THEN e.source_row END) AS deferral_ended_row,
       max(CASE WHEN e.kind = 'approval' AND e.code = '免学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.to_date END) AS exempted_until,
       max(CASE WHEN e.kind = 'approval' AND e.code = '免学' AND coalesce(e.from_date, $today) <= $today AND e.to_date >= $today THEN e.source_row END) AS exemption_row,
       max(CASE WHEN e.kind = 'elsewhere' AND e.to_date >= $today THEN e.from_date END) AS elsewhere_on,
       max(CASE WHEN e.kind = 'elsewhere' AND e.to_date >= $today THEN e.source_row END) AS elsewhere_row,
       max(CASE WHEN e.kind = 'programme' AND e.code = '专门教育' AND coalesce(e.from_date, $today) <= $today
                     AND (e.to_date IS NULL OR e.to_date > $today) THEN e.from_date END) AS specialised_since,
       max(CASE WHEN e.kind = 'programme' AND e.code = '专门教育' AND coalesce(e.from_date, $today) <= $today
                     AND (e.to_date IS NULL OR e.to_date > $today) THEN e.source_row END) AS specialised_row,
       max(CASE WHEN e.kind = 'disability' THEN 1 ELSE 0 END) AS is_disabled,
       max(CASE WHEN e.kind = 'disability' AND e.code IN ('特教学校', '特教班', '送教上门') THEN e.code END) AS disability_placement,
       max(CASE WHEN e.kind = 'disability' AND e.code IN ('特教学校', '特教班', '送教上门') THEN e.source_row END) AS disability_row,
       max(CASE WHEN e.kind = 'poverty' AND e.code IN ('脱贫户', '监测户', '低保', '特困') THEN 1 ELSE 0 END) AS is_poor,
       max(CASE WHEN e.kind = 'absent' THEN e.from_date END) AS absent_from,
       max(CASE WHEN e.kind = 'absent' THEN e.to_date END) AS absent_to,
       max(CASE WHEN e.kind = 'absent' THEN e.source_row END) AS absent_row,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.from_date END) AS long_leave_from,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.to_date END) AS long_leave_to,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.source_row END) AS long_leave_row,
       max(CASE WHEN e.kind = 'not_in_headcount' AND e.from_date + $headcount_days >= $today THEN e.from_date END) AS missed_headcount_on
FROM status.evidence e
WHERE e.kind <> 'present'
GROUP BY e.child_id
