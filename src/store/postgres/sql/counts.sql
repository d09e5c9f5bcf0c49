WITH @clock@,
estimate AS (
    SELECT (SELECT reltuples::int8 FROM pg_class WHERE oid = '@schema@.message'::regclass) AS messages,
        (SELECT reltuples::int8 FROM pg_class WHERE oid = '@schema@.outbox'::regclass) AS queued,
        (SELECT reltuples::int8 FROM pg_class WHERE oid = '@schema@.dead_letter'::regclass) AS dead
)
SELECT e.messages, e.queued, e.dead,
    CASE WHEN e.messages <= @count_to@ THEN
        (SELECT count(*) FROM (SELECT FROM @schema@.message LIMIT @count_to@) m) END,
    (SELECT count(*) FROM (SELECT FROM @schema@.outbox LIMIT @count_to@) o),
    (SELECT count(*) FROM (SELECT FROM @schema@.dead_letter LIMIT @count_to@) x),
    c.now - (SELECT o.confirmed_at FROM @schema@.outbox o ORDER BY o.id LIMIT 1)
FROM clock c CROSS JOIN estimate e
