WITH @durable@,
@clock@,
given AS MATERIALIZED (
    SELECT g.* FROM unnest($2::bytea[]) WITH ORDINALITY AS g(sid, ord)
),
locked AS MATERIALIZED (
    SELECT m.sid, m.entry FROM @schema@.message m
    WHERE m.sid IN (SELECT sid FROM given) ORDER BY m.sid FOR NO KEY UPDATE OF m
),
revived AS (
    DELETE FROM @schema@.dead_letter x USING locked l
    WHERE x.sid = l.sid AND x.id = l.entry
    RETURNING x.sid
),
fresh AS MATERIALIZED (
    SELECT f.sid, nextval('@schema@.entry_id') AS entry FROM (
        SELECT r.sid FROM revived r JOIN given g ON g.sid = r.sid ORDER BY g.ord
    ) f
),
moved AS (
    UPDATE @schema@.message m SET entry = f.entry FROM fresh f WHERE m.sid = f.sid
    RETURNING m.sid, m.entry, m.source
),
-- Its age begins anew, or the retry policy would give it up at once.
filed AS (
    INSERT INTO @schema@.outbox (id, account, source, sid, confirmed_at, due_at)
    SELECT q.entry, s.account, q.source, q.sid, c.now, c.now
    FROM moved q LEFT JOIN @schema@.source s ON s.id = q.source CROSS JOIN clock c
)
SELECT q.sid, q.source, c.now FROM durable CROSS JOIN clock c CROSS JOIN moved q
