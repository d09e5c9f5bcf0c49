waiting AS (SELECT k.* FROM unnest($9::int4[], $10::int8[]) AS k(account, since)),
