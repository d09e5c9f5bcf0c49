WITH @relaxed@,
given AS MATERIALIZED (
    SELECT g.* FROM unnest($1::bytea[], $2::bytea[], $3::int2[], $4::int8[])
        AS g(sid, account, delivery, error_code)
),
-- In one order in every process. What another transaction changes is waited for,
-- and seen as it is then.
held AS MATERIALIZED (
    SELECT m.sid, m.source, m.delivery FROM @schema@.message m
    WHERE m.sid IN (SELECT sid FROM given) ORDER BY m.sid FOR NO KEY UPDATE OF m
),
known AS MATERIALIZED (
    SELECT h.sid, h.delivery, g.delivery AS newer, g.error_code, a.sid AS account
    FROM held h
        JOIN @schema@.source s ON s.id = h.source
        JOIN @schema@.account a ON a.id = s.account
        LEFT JOIN given g ON g.sid = h.sid AND g.account = a.sid
            AND (h.delivery IS NULL OR h.delivery < g.delivery)
),
updated AS (
    UPDATE @schema@.message m SET delivery = k.newer, error_code = k.error_code
    FROM known k WHERE m.sid = k.sid AND k.newer IS NOT NULL
)
SELECT k.sid, k.account, k.delivery FROM relaxed CROSS JOIN known k
