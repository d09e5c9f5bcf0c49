WITH @durable@,
@clock@,
target AS MATERIALIZED (
    SELECT t.* FROM unnest($2::int4[], $3::uuid[], $4::uuid[], $5::bool[], $6::bytea[])
        AS t(ord, current, previous, every, sid)
),
@given@
hit AS MATERIALIZED (
    SELECT h.ord, h.sid, row_number() OVER (
        ORDER BY h.ord, h.is_current DESC, h.sent_at, h.id) AS place
    FROM (
        SELECT t.ord, m.* FROM target t CROSS JOIN LATERAL (
            SELECT m.sid, m.key = t.current AS is_current, m.sent_at, m.id
            FROM @schema@.message m
            WHERE m.key IN (t.current, t.previous) AND (t.sid IS NULL OR m.sid = t.sid)
            ORDER BY m.key = t.current DESC, m.sent_at < (SELECT now FROM clock) + @scheduled@ DESC,
                m.sent_at DESC, m.id DESC
            LIMIT CASE WHEN t.every THEN NULL ELSE 1 END
        ) m
        @given_hits@
    ) h
),
-- In one order in every process: batches that overlap wait, and do not deadlock.
-- The version that is locked is the newest, whatever the snapshot shows.
locked AS MATERIALIZED (
    SELECT m.sid, m.confirmed_at, w.place
    FROM (SELECT h.sid, min(h.place) AS place FROM hit h GROUP BY h.sid) w
        JOIN @schema@.message m ON m.sid = w.sid
    ORDER BY m.sid
    FOR NO KEY UPDATE OF m
),
-- Numbered in the order of the batch.
fresh AS MATERIALIZED (
    SELECT f.sid, nextval('@schema@.entry_id') AS entry
    FROM (SELECT l.sid FROM locked l WHERE l.confirmed_at IS NULL ORDER BY l.place) f
),
confirmed AS (
    UPDATE @schema@.message m SET confirmed_at = (SELECT now FROM clock), entry = f.entry
    FROM fresh f
    WHERE m.sid = f.sid AND m.confirmed_at IS NULL
    RETURNING m.sid, m.entry, m.source
),
queued AS (
    SELECT sid, entry, source FROM confirmed
    @given_queued@
),
filed AS (
    INSERT INTO @schema@.outbox (id, account, source, sid, confirmed_at, due_at)
    SELECT q.entry, s.account, q.source, q.sid, c.now, c.now
    FROM queued q LEFT JOIN @schema@.source s ON s.id = q.source CROSS JOIN clock c
)
-- Put together by the client: the planner takes every batch for a small one, and
-- would compare all with all.
SELECT a.*, c.now FROM durable CROSS JOIN clock c CROSS JOIN (
    SELECT h.place, h.ord, h.sid, NULL::int4 AS source FROM hit h
    UNION ALL SELECT NULL, NULL, l.sid, NULL FROM locked l
    UNION ALL SELECT NULL, NULL, q.sid, q.source FROM queued q
) a
