import postgres from "postgres";

/** How many numbers are offered at most. */
const MOST = 50;

/** The numbers that the web phone offers, out of the database; none while it is away. */
export interface Directory {
  /** The lines that follow a flow, and the version that answers them. */
  lines(): Promise<{ number: string; flow?: string; version?: number }[]>;
  /** The telephones that lines ring: those of people, then numbers that flows name, by their groups. */
  telephones(): Promise<{ number: string; name: string }[]>;
  close(): Promise<void>;
}

/** @param databaseUrl Asked as `service_role`, whatever role the address names. */
export function openDirectory(databaseUrl: string): Directory {
  const sql = postgres(databaseUrl, {
    max: 1,
    connect_timeout: 2,
    backoff: () => 0.25,
    onnotice: () => {},
    connection: { application_name: "web phone", role: "service_role" } as Record<string, string>,
  });
  return {
    lines: async () =>
      await sql<{ number: string; flow: string; version: number }[]>`
        select l.line as number, f.name as flow, p.version
        from lines as l join call_flows as f on f.id = l.flow_id
        join call_flow_pointers as p on p.flow_id = f.id
        order by l.org_id nulls first, l.line limit ${MOST}`.catch(() => []),
    telephones: async () =>
      await sql<{ number: string; name: string }[]>`
        select distinct on (number) number, name from (
          select 0 as turn, phone as number, name from people
          union all
          select 1, m.number, g.key
          from call_flow_pointers as p
          join call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
          cross join lateral jsonb_each(coalesce(v.definition -> 'groups', '{}')) as g
          cross join lateral jsonb_array_elements_text(g.value -> 'members') as m(number)
          where m.number like '+%'
        ) as t order by number, turn limit ${MOST}`.catch(() => []),
    close: () => sql.end({ timeout: 1 }),
  };
}
