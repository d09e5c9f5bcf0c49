WITH done AS (DELETE FROM @schema@.delivered d WHERE d.id = ANY ($1::int8[]))
DELETE FROM @schema@.dead_letter x WHERE x.sid = ANY ($2::bytea[])
