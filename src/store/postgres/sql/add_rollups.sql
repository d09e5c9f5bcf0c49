WITH @relaxed@,
fresh AS (
    INSERT INTO @schema@.rollup_writer AS w (writer, sequence, keep_until)
    SELECT $1::int8, $2::int8, $3::int8 FROM relaxed
    ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence,
        keep_until = greatest(w.keep_until, excluded.keep_until)
    WHERE w.sequence < excluded.sequence
    RETURNING 1
),
added AS (
    INSERT INTO @schema@.rollup AS r (resolution, start, account, segment, counts, keep_until)
    SELECT g.resolution, g.start, g.account, g.segment, g.counts::int8[], g.keep_until
    FROM unnest($4::int2[], $5::int8[], $6::bytea[], $7::text[], $8::text[], $9::int8[])
            AS g(resolution, start, account, segment, counts, keep_until)
        CROSS JOIN fresh
    -- In one order in every process.
    ORDER BY g.resolution, g.start, g.account, g.segment
    ON CONFLICT (resolution, start, account, segment) DO UPDATE SET
        keep_until = greatest(r.keep_until, excluded.keep_until),
        counts = (SELECT array_agg(coalesce(s.a, 0) + coalesce(s.b, 0) ORDER BY s.number)
            FROM unnest(r.counts, excluded.counts) WITH ORDINALITY AS s(a, b, number))
)
SELECT count(*) FROM fresh
