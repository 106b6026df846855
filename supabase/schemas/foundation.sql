-- The base of the schema: default privileges, the role monitoring, a domain and a function.

-- New tables, views and functions have no grants: each file grants what it needs. PostgreSQL's default would give
-- functions to PUBLIC, and projects made before November 2026 grant tables by default.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;

-- For dashboards: a role that can read the columns that views aggregate, and none with a caller's number, a recording, a
-- transcript or a caller's words. Views run with the caller's rights, so it needs these columns. Row-level security lets
-- it see every row. It cannot log in until an operator runs: alter role monitoring login password '...'.
do $block$
begin
  create role monitoring nologin;
exception
  -- Roles belong to the cluster: another of its databases may have made it, even just now.
  when duplicate_object or unique_violation then null;
end
$block$;

grant usage on schema public to monitoring;

-- ITU-T E.164: a plus sign and 2 to 15 digits, the first not 0.
create domain public.e164 as text
  constraint e164_form check (value ~ '^\+[1-9][0-9]{1,14}$');

-- Makes store_<table>(row, is_new), which inserts a whole row, or updates the one of its key. It lists the columns of the
-- table: a migration that adds a column calls this again.
create function public.make_store(p_table regclass) returns void
language plpgsql volatile set search_path = ''
as $make$
declare
  v_name constant text := (select c.relname from pg_catalog.pg_class as c where c.oid = p_table);
  v_columns text;
  v_values text;
  v_is_row text;
begin
  select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum), string_agg(format('p_row.%I', a.attname), ', ' order by a.attnum),
    string_agg(format('t.%1$I = p_row.%1$I', a.attname), ' and ' order by a.attnum) filter (where a.attnum = any (i.indkey))
  into v_columns, v_values, v_is_row
  from pg_catalog.pg_attribute as a join pg_catalog.pg_index as i on i.indrelid = a.attrelid and i.indisprimary
  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  execute format(
    $sql$
      create or replace function public.store_%1$s(p_row public.%1$I, p_is_new boolean) returns void
      language plpgsql volatile set search_path = ''
      as $$
      begin
        if p_is_new then
          insert into public.%1$I (%2$s) values (%3$s);
        else
          update public.%1$I as t set (%2$s) = row (%3$s) where %4$s;
        end if;
      end
      $$
    $sql$,
    v_name, v_columns, v_values, v_is_row
  );
  execute format('grant execute on function public.store_%s to service_role', v_name);
end
$make$;
