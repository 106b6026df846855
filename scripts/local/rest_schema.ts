import type { Sql } from "postgres";

/** An argument that a caller gives. */
export interface Argument {
  /** Empty for an unnamed one. */
  readonly name: string;
  /** Schema-qualified and quoted. */
  readonly type: string;
  readonly required: boolean;
  readonly variadic: boolean;
}

/** A function of schema `public` that the Data API can call. */
export interface Routine {
  readonly name: string;
  readonly volatile: boolean;
  readonly returnsSet: boolean;
  readonly returns: "void" | "scalar" | "row";
  readonly args: readonly Argument[];
}

/** What schema `public` has, by name. */
export interface Schema {
  readonly routines: ReadonlyMap<string, readonly Routine[]>;
  /** Tables and views. */
  readonly relations: ReadonlySet<string>;
}

export async function readSchema(sql: Sql): Promise<Schema> {
  const [row] = await sql<{ routines: Routine[]; relations: string[] }[]>`
    select
      (select coalesce(json_agg(r), '[]') from (
        select
          p.proname as "name",
          p.provolatile = 'v' as "volatile",
          p.proretset as "returnsSet",
          case
            when p.prorettype = 'void'::regtype then 'void'
            -- TABLE, OUT and INOUT arguments make a row even when there is but one.
            when t.typtype = 'c' or p.prorettype = 'record'::regtype
              or coalesce(p.proargmodes::text[] && '{t,b,o}', false) then 'row'
            else 'scalar'
          end as "returns",
          (
            select coalesce(json_agg(json_build_object(
              'name', coalesce(a.name, ''),
              'type', quote_ident(n.nspname) || '.' || quote_ident(y.typname),
              'required', a.position <= p.pronargs - p.pronargdefaults,
              'variadic', coalesce(a.mode = 'v', false)
            ) order by a.position), '[]')
            from (
              select u.name, u.mode, u.type, row_number() over (order by u.nr) as position
              from unnest(
                p.proargnames, p.proargmodes, coalesce(p.proallargtypes, p.proargtypes::oid[])
              ) with ordinality as u(name, mode, type, nr)
              where u.type is not null and coalesce(u.mode, 'i') in ('i', 'b', 'v')
            ) a
            join pg_type y on y.oid = a.type
            join pg_namespace n on n.oid = y.typnamespace
          ) as "args"
        from pg_proc p
        join pg_type t on t.oid = p.prorettype
        where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
          and p.prorettype <> 'trigger'::regtype
      ) r) as "routines",
      (select coalesce(json_agg(relname), '[]') from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
      ) as "relations"`;
  const routines = new Map<string, Routine[]>();
  for (const routine of row?.routines ?? []) {
    const overloads = routines.get(routine.name);
    if (overloads === undefined) routines.set(routine.name, [routine]);
    else overloads.push(routine);
  }
  return { routines, relations: new Set(row?.relations) };
}
