import { createHash } from "node:crypto";
import type { ISql } from "postgres";

interface Line {
  line: string;
}

/** The relations of the schema, without the months of `call_lifecycle`, whose names depend on the day. */
const RELATIONS = `
  select format('%I.%I', n.nspname, c.relname) as name, c.* from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in ('public', 'months') and c.relname !~ '_[0-9]{4}_[0-9]{2}(_|$)'`;

/** Each part of the catalog, and the query that describes it, one line an object. */
const PARTS: Record<string, string> = {
  "Schemas": `
    select format('create schema %I;', nspname) as line from pg_namespace where nspname in ('public', 'months', 'private') order by 1`,

  "Types": `
    select format('create type %I as enum (%s);', t.typname,
      (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid)) as line
    from pg_type as t where t.typnamespace = 'public'::regnamespace and t.typtype = 'e'
    union all
    select format('create domain %I as %s %s;', t.typname, format_type(t.typbasetype, t.typtypmod),
      (select string_agg(pg_get_constraintdef(oid), ' ' order by conname) from pg_constraint where contypid = t.oid))
    from pg_type as t where t.typnamespace = 'public'::regnamespace and t.typtype = 'd'
    order by 1`,

  "Tables and composite types": `
    select format(e'%s %s (\\n%s\\n)%s%s%s;',
      case c.relkind when 'c' then 'create type' else 'create table' end, c.name,
      (
        select string_agg(format('  %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
          case when a.attnotnull then ' not null' else '' end,
          case when a.attidentity <> '' then ' generated always as identity' else '' end,
          case when d.oid is null then '' when a.attgenerated = 's' then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') stored'
            else ' default ' || pg_get_expr(d.adbin, d.adrelid) end), e',\\n' order by a.attnum)
        from pg_attribute as a left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ),
      coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''),
      ' partition by ' || pg_get_partkeydef(c.oid),
      ' partition of ' || (select inhparent::regclass from pg_inherits where inhrelid = c.oid) || ' ' || pg_get_expr(c.relpartbound, c.oid)
    ) as line
    from (${RELATIONS}) as c where c.relkind in ('r', 'p', 'c')
    order by c.relkind, c.name`,

  "Constraints": `
    select format('alter table %I add constraint %I %s;', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) as line
    from pg_constraint as c
    where c.conrelid in (select oid from (${RELATIONS}) as r) and c.contype <> 'n'
    order by c.conrelid::regclass::text, c.conname`,

  "Indexes": `
    select pg_get_indexdef(c.oid) || ';' as line from (${RELATIONS}) as c where c.relkind in ('i', 'I') order by c.relname`,

  "Functions": `
    select pg_get_functiondef(oid) as line from pg_proc
    where pronamespace in ('public'::regnamespace, to_regnamespace('private')) and prokind = 'f' order by proname, oid::regprocedure::text`,

  "Triggers": `
    select pg_get_triggerdef(oid) || case tgenabled when 'O' then '' else ' -- ' || tgenabled::text end || ';' as line
    from pg_trigger where not tgisinternal and tgrelid in (select oid from (${RELATIONS}) as r)
    order by tgrelid::regclass::text, tgname`,

  "Views": `
    select format(e'create view %I with (%s) as\\n%s', relname, array_to_string(reloptions, ', '), pg_get_viewdef(oid)) as line
    from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v' order by relname`,

  "Row-level security": `
    select format('alter table %s enable row level security;', name) as line from (${RELATIONS}) as c where relrowsecurity
    union all
    select format('create policy %I on %I.%I for %s to %s%s%s;', policyname, schemaname, tablename, lower(cmd), array_to_string(roles, ', '),
      ' using (' || qual || ')', ' with check (' || with_check || ')')
    from pg_policies where (schemaname, tablename) in (select nspname, relname from (${RELATIONS}) as c join pg_namespace on pg_namespace.oid = relnamespace)
    order by 1`,

  "Grants": `
    select format('grant %s on %s to %s;', string_agg(lower(acl.privilege_type), ', ' order by acl.privilege_type), object,
      case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end) as line
    from (
      select name as object, relacl as acls from (${RELATIONS}) as c
      union all
      select format('%s (%I)', c.name, a.attname), a.attacl
      from (${RELATIONS}) as c join pg_attribute as a on a.attrelid = c.oid where a.attnum > 0 and not a.attisdropped
      union all
      -- Functions of event triggers cannot be called directly; a project with "automatic RLS" has rls_auto_enable().
      select 'function ' || oid::regprocedure, coalesce(proacl, acldefault('f', proowner)) from pg_proc
      where pronamespace in ('public'::regnamespace, to_regnamespace('private')) and prorettype <> 'event_trigger'::regtype
      union all
      select 'schema ' || nspname, nspacl from pg_namespace where nspname in ('public', 'months', 'private')
    ) as objects, aclexplode(acls) as acl
    where acl.grantee <> 'postgres'::regrole and (object <> 'schema public' or acl.grantee::regrole::text = 'monitoring')
    group by object, acl.grantee order by object, acl.grantee::regrole::text`,

  "Default privileges": `
    select format('alter default privileges for role %s%s grant %s on %s to %s;', d.defaclrole::regrole,
      ' in schema ' || nullif(d.defaclnamespace, 0)::regnamespace, string_agg(lower(acl.privilege_type), ', ' order by acl.privilege_type),
      case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else d.defaclobjtype::text end,
      case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end) as line
    from pg_default_acl as d, aclexplode(d.defaclacl) as acl
    group by d.oid, d.defaclrole, d.defaclnamespace, d.defaclobjtype, acl.grantee order by 1`,
};

const COMMENTS = `
    select format('comment on %s is %L;', object, text) as line from (
      select format('%s %s%s', case c.relkind when 'v' then 'view' when 'i' then 'index' when 'c' then 'type' else 'table' end, c.name,
        '.' || a.attname) as object, d.description as text
      from pg_description as d join (${RELATIONS}) as c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass
      left join pg_attribute as a on a.attrelid = c.oid and a.attnum = nullif(d.objsubid, 0)
      union all
      select 'function ' || p.oid::regprocedure, d.description
      from pg_description as d join pg_proc as p on p.oid = d.objoid and d.classoid = 'pg_proc'::regclass
      where p.pronamespace = 'public'::regnamespace
    ) as commented order by 1`;

/** The same, with the comments, and the rows that the schema inserts, such as retention rules. */
export async function readCatalog(sql: ISql): Promise<string[]> {
  const comments = await sql.unsafe<Line[]>(COMMENTS);
  return [...await readSchema(sql), ...comments.map(({ line }) => line), ...await readRows(sql)];
}

/** One object a line, a title for each part. Databases with the same list have the same schema. */
export async function readSchema(sql: ISql): Promise<string[]> {
  const found: string[] = [];
  for (const [title, query] of Object.entries(PARTS)) {
    // deno-lint-ignore no-await-in-loop -- One connection: they would only queue up.
    const lines = await sql.unsafe<Line[]>(query);
    found.push(`-- ${title}`, ...lines.map(({ line }) => line.trimEnd()));
  }
  return found;
}

async function readRows(sql: ISql): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`;
  const found = ["-- Rows"];
  for (const { name } of tables) {
    // deno-lint-ignore no-await-in-loop
    const rows = await sql.unsafe<Line[]>(
      `select to_jsonb(t)::text as line from public.${name} as t order by 1`,
    );
    found.push(...rows.map(({ line }) => `-- ${name}: ${line}`));
  }
  return found;
}

/** A schema in short: of an object that takes several lines the first, and a hash of all of them. */
export function outline(schema: readonly string[]): string[] {
  return schema.map((object) => {
    const [first = "", ...more] = object.split("\n");
    if (more.length === 0) return first;
    return `${first}${HASHED}${createHash("sha256").update(object).digest("hex").slice(0, 16)}`;
  });
}

const HASHED = " -- sha256 ";

/**
 * The relevant differences of a database from a release, both in short: missing objects, and additional grants to outside roles.
 * Additions of operators and platforms, such as default privileges and other tables, are ignored.
 *
 * @returns the first words of each difference.
 */
export function drift(release: readonly string[], database: readonly string[]): string[] {
  const found: string[] = [];
  for (const difference of differences(release, database)) {
    const [sign, line] = [difference[0], difference.slice(2)];
    const [words = ""] = line.split(HASHED);
    const theirs = /^(--|alter default privileges|create schema) ?/.test(line);
    if (sign === "-" && !theirs) found.push(`lacks "${words}"`);
    if (sign === "+" && /^grant .* to (anon|authenticated|public);$/.test(line)) {
      found.push(`has beyond it "${words}"`);
    }
    if (sign === "+" && line.startsWith("create policy")) found.push(`has beyond it "${words}"`);
  }
  return found;
}

/** Compares two catalogs: `-` only in the first, `+` only in the second. */
export function differences(one: readonly string[], other: readonly string[]): string[] {
  const [inOne, inOther] = [new Set(one), new Set(other)];
  return [
    ...one.filter((line) => !inOther.has(line)).map((line) => `- ${line}`),
    ...other.filter((line) => !inOne.has(line)).map((line) => `+ ${line}`),
  ];
}
