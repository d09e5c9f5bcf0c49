SELECT start, account, segment, counts, keep_until FROM @schema@.rollup
WHERE resolution = $1::int2 AND start >= $2::int8 AND start < $3::int8
