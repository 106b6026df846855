import postgres from "postgres";
import type { RecordedCall } from "./recorded_call.ts";
import type { Row } from "./report.ts";
import { acceptCall, runSql } from "./sql_load.ts";
import type { World } from "./world.ts";

/** What a call leaves behind, indexes included, after some thousand calls that the database itself accepted. */
export async function storage(
  world: World,
  call: RecordedCall,
  { pgbench, seconds }: { pgbench: string | undefined; seconds: number },
): Promise<Row[]> {
  const url = await world.createDatabase("bench_storage");
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const admin = postgres(world.adminUrl(), { max: 1, onnotice: () => {} });
  try {
    // The load does in seconds what a line does in hours: autovacuum has to look as often for it.
    await admin`alter system set autovacuum_naptime = '1s'`;
    await admin`select pg_reload_conf()`;
    const before = await walPosition(sql);
    await runSql(pgbench, url, acceptCall(call), 4, seconds);
    const after = await walPosition(sql);
    const [counted] = await sql<{ calls: number }[]>`select count(*)::int as calls from call_logs`;
    const calls = counted!.calls;
    const tables = await sql<{ name: string; bytes: number }[]>`
      select relname as name,
        (select sum(pg_total_relation_size(relid))::float8
          from (select c.oid as relid union select relid from pg_partition_tree(c.oid)) as parts) as bytes
      from pg_class as c
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
        and relname in ('call_logs', 'call_lifecycle', 'call_legs', 'recordings', 'rate_limit_windows')
      order by 2 desc`;
    const [updates] = await sql<{ hot: number }[]>`
      select n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) as hot from pg_stat_user_tables where relname = 'call_logs'`;
    const kept: Record<string, string> = {
      call_logs: "kept",
      call_lifecycle: "kept, by the month",
      call_legs: "kept, a row a leg",
      recordings: "kept, a row a recording",
    };
    return [
      ...tables.map(({ name, bytes }) => ({
        measure: `storage per call, ${name}`,
        unit: "bytes",
        ours: Math.round(bytes / calls),
        note: kept[name] ?? "for an hour, per caller",
      })),
      {
        measure: "WAL per webhook",
        unit: "bytes",
        ours: Math.round((after - before) / (calls * call.steps.length)),
      },
      {
        measure: "updates of call_logs that touch no index (HOT)",
        unit: "",
        ours: updates?.hot ?? NaN,
      },
    ];
  } finally {
    await admin`alter system reset autovacuum_naptime`.catch(() => {});
    await Promise.all([sql.end(), admin.end()]);
  }
}

async function walPosition(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ at: number }[]>`
    select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as at`;
  return row!.at;
}
