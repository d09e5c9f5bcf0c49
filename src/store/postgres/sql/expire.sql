WITH @relaxed@,
@clock@,
-- Nobody confirmed them. A row that is locked is being confirmed or forgotten.
pending AS MATERIALIZED (
    SELECT m.sid FROM @schema@.message m
    WHERE m.expires_at >= $2::int8 AND m.expires_at <= (SELECT now FROM clock)
        AND m.confirmed_at IS NULL
    ORDER BY m.expires_at LIMIT $3::int8
    FOR UPDATE SKIP LOCKED
),
-- The same without a lock: whether any was passed over.
over AS MATERIALIZED (
    SELECT FROM @schema@.message m
    WHERE m.expires_at >= $2::int8 AND m.expires_at <= (SELECT now FROM clock)
        AND m.confirmed_at IS NULL
    LIMIT $3::int8
),
old_delivered AS MATERIALIZED (
    SELECT d.id, d.sid FROM @schema@.delivered d
    WHERE d.keep_until <= (SELECT now FROM clock)
    ORDER BY d.keep_until LIMIT $3::int8 - (SELECT count(*) FROM pending)
    FOR UPDATE SKIP LOCKED
),
old_dead AS MATERIALIZED (
    SELECT x.id, x.sid FROM @schema@.dead_letter x
    WHERE x.keep_until <= (SELECT now FROM clock)
    ORDER BY x.keep_until
    LIMIT $3::int8 - (SELECT count(*) FROM pending) - (SELECT count(*) FROM old_delivered)
    FOR UPDATE SKIP LOCKED
),
settled AS MATERIALIZED (
    SELECT m.sid, m.entry FROM @schema@.message m
        JOIN (SELECT * FROM old_delivered UNION ALL SELECT * FROM old_dead) s
            ON m.sid = s.sid AND m.entry = s.id
    FOR UPDATE OF m SKIP LOCKED
),
gone AS (
    DELETE FROM @schema@.message m
    USING (SELECT sid FROM pending UNION ALL SELECT sid FROM settled) s
    WHERE m.sid = s.sid
    RETURNING m.sid
),
-- With its message, or if that is gone already.
gone_delivered AS (
    DELETE FROM @schema@.delivered d USING old_delivered s
    WHERE d.id = s.id AND (
        d.id IN (SELECT entry FROM settled) OR NOT EXISTS (
            SELECT FROM @schema@.message m WHERE m.sid = s.sid AND m.entry = s.id))
),
gone_dead AS (
    DELETE FROM @schema@.dead_letter x USING old_dead s
    WHERE x.sid = s.sid AND (
        x.id IN (SELECT entry FROM settled) OR NOT EXISTS (
            SELECT FROM @schema@.message m WHERE m.sid = s.sid AND m.entry = s.id))
),
-- What is no message is dropped beside.
over_notes AS MATERIALIZED (
    SELECT n.key FROM @schema@.note n WHERE n.keep_until <= (SELECT now FROM clock)
    ORDER BY n.keep_until LIMIT $3::int8
    FOR UPDATE SKIP LOCKED
),
gone_notes AS (DELETE FROM @schema@.note n USING over_notes o WHERE n.key = o.key),
over_rollups AS MATERIALIZED (
    SELECT r.resolution, r.start, r.account, r.segment FROM @schema@.rollup r
    WHERE r.keep_until <= (SELECT now FROM clock)
    ORDER BY r.keep_until LIMIT $3::int8
    FOR UPDATE SKIP LOCKED
),
gone_rollups AS (
    DELETE FROM @schema@.rollup r USING over_rollups o
    WHERE (r.resolution, r.start, r.account, r.segment)
        = (o.resolution, o.start, o.account, o.segment)
),
gone_writers AS (
    DELETE FROM @schema@.rollup_writer w WHERE w.keep_until <= (SELECT now FROM clock)
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM pending) = (SELECT count(*) FROM over)
    AND (SELECT count(*) FROM pending) < $3::int8, c.now
FROM relaxed CROSS JOIN clock c
