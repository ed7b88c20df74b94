-- Statement statistics for the database page, where the server offers them and lets us.

do $$
begin
    create extension if not exists pg_stat_statements;
exception
    when insufficient_privilege or feature_not_supported or undefined_file
        or object_not_in_prerequisite_state then
        raise notice 'pg_stat_statements is not available: no figures by statement';
end
$$;
