WITH @relaxed@,
@clock@,
given AS MATERIALIZED (
    SELECT g.* FROM unnest($2::int8[], $3::int8[], $4::int2[], $5::int8[], $6::int4[], $7::int4[],
            $8::int2[], $9::int4[], $10::int8[])
        AS g(id, token, kind, wait, attempts, not_found, failure, http_status, code)
),
gone AS (
    DELETE FROM @schema@.outbox o USING given g
    WHERE o.id = g.id AND o.token = g.token AND g.kind <> 1
    RETURNING o.sid, g.*
),
again AS (
    UPDATE @schema@.outbox o
    SET due_at = (SELECT now FROM clock) + g.wait, held_until = 0, token = NULL,
        attempts = g.attempts, not_found = g.not_found
    FROM given g
    WHERE o.id = g.id AND o.token = g.token AND g.kind = 1
    RETURNING g.id, g.token
),
done AS (
    INSERT INTO @schema@.delivered (id, sid, delivered_at, keep_until, attempts, not_found)
    SELECT g.id, g.sid, c.now, c.now + $11::int8, g.attempts, g.not_found
    FROM gone g CROSS JOIN clock c WHERE g.kind = 0
),
dead AS (
    INSERT INTO @schema@.dead_letter
        (id, sid, died_at, keep_until, attempts, not_found, failure, http_status, code)
    SELECT g.id, g.sid, c.now, c.now + $12::int8, g.attempts, g.not_found, g.failure,
        g.http_status, g.code
    FROM gone g CROSS JOIN clock c WHERE g.kind = 2
    ON CONFLICT (sid) DO UPDATE SET id = excluded.id, died_at = excluded.died_at,
        keep_until = excluded.keep_until, attempts = excluded.attempts,
        not_found = excluded.not_found, failure = excluded.failure,
        http_status = excluded.http_status, code = excluded.code
)
SELECT s.id, s.token
FROM relaxed CROSS JOIN (SELECT id, token FROM gone UNION ALL SELECT id, token FROM again) s
