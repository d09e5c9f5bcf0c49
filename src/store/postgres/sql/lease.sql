WITH RECURSIVE @relaxed@,
@clock@,
@waiting@
turn AS MATERIALIZED (
    SELECT w.account, w.since, least(coalesce(n.bound, $4::int8), $5::int8) AS bound,
        row_number() OVER (ORDER BY coalesce(a.sid <= $8::bytea, false), a.sid) AS turn
    FROM waiting w
        JOIN @schema@.account a ON a.id = w.account
        LEFT JOIN unnest($2::bytea[], $3::int8[]) AS n(sid, bound) ON n.sid = a.sid
    WHERE coalesce(n.bound, $4::int8) > 0
),
-- What is due, without a lock, and one more than may be had.
due AS MATERIALIZED (
    SELECT t.account, t.turn, t.bound, d.round, d.due_at
    FROM turn t CROSS JOIN LATERAL (
        SELECT r.due_at, row_number() OVER () AS round FROM (
            SELECT o.due_at FROM @schema@.outbox o
            WHERE o.account = t.account AND o.due_at >= t.since
                AND o.due_at <= (SELECT now FROM clock)
                AND o.held_until <= (SELECT now FROM clock)
            ORDER BY o.due_at, o.id LIMIT t.bound + 1
        ) r
    ) d
),
-- How many entries each account gets, the accounts in turn.
share AS MATERIALIZED (
    SELECT s.account, count(*) AS entries, min(s.due_at) AS since FROM (
        SELECT d.account, d.due_at FROM due d WHERE d.round <= d.bound
        ORDER BY d.round, d.turn LIMIT $5::int8
    ) s GROUP BY s.account
),
picked AS MATERIALIZED (
    SELECT p.id FROM share s CROSS JOIN LATERAL (
        SELECT o.id FROM @schema@.outbox o
        WHERE o.account = s.account AND o.due_at >= s.since
            AND o.due_at <= (SELECT now FROM clock)
            AND o.held_until <= (SELECT now FROM clock)
        ORDER BY o.due_at, o.id LIMIT s.entries
        FOR UPDATE SKIP LOCKED
    ) p
),
leased AS (
    UPDATE @schema@.outbox o
    SET token = $7::int8, held_until = (SELECT now FROM clock) + $6::int8
    FROM picked p WHERE o.id = p.id
    RETURNING o.account, o.id, o.due_at, o.sid, o.source, o.confirmed_at, o.attempts, o.not_found
),
-- Of each account: what else is due, what is due next, and where to begin next
-- time. What is leased stands before what is not, but for what was left behind.
rest AS (
    SELECT t.account, t.turn, coalesce(d.due, 0) AS due,
        least(h.until, f.due_at) AS next, least(d.first, h.first, f.due_at) AS first
    FROM turn t CROSS JOIN clock c
        LEFT JOIN (
            SELECT account, count(*) AS due, min(due_at) AS first, max(due_at) AS last
            FROM due GROUP BY account
        ) d ON d.account = t.account
        LEFT JOIN LATERAL (
            SELECT min(o.held_until) AS until, min(o.due_at) AS first
            FROM @schema@.outbox o
            WHERE o.account = t.account AND o.due_at >= t.since
                AND o.due_at <= CASE WHEN d.due > t.bound THEN d.last ELSE c.now END
                AND o.held_until > c.now
        ) h ON true
        LEFT JOIN LATERAL (
            SELECT o.due_at FROM @schema@.outbox o
            WHERE o.account = t.account AND o.due_at > c.now ORDER BY o.due_at LIMIT 1
        ) f ON true
)
SELECT s.*, c.now FROM relaxed CROSS JOIN clock c LEFT JOIN (
    SELECT account, id, due_at, sid, source, confirmed_at, attempts, not_found,
        NULL::int8 AS turn, NULL::int8 AS due, NULL::int8 AS next, NULL::int8 AS first
    FROM leased
    UNION ALL
    SELECT account, NULL, NULL, NULL, NULL, NULL, NULL, NULL, turn, due, next, first
    FROM rest
) s ON true
