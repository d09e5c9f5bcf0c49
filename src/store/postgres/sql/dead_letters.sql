SELECT 0::int8, @ledger_columns@
FROM (
    SELECT * FROM @schema@.dead_letter p WHERE p.sid > $1::bytea
    ORDER BY p.sid LIMIT $2::int8
) p
    JOIN @schema@.message m ON m.sid = p.sid AND m.entry = p.id
    @ledger_joins@
ORDER BY p.sid
