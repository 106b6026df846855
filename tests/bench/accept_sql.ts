import type { RecordedCall } from "./recorded_call.ts";
import { ratio, type Row } from "./report.ts";
import {
  acceptCall,
  bareRows,
  compareSql,
  createInsertTable,
  insertCall,
  runSql,
} from "./sql_load.ts";
import type { ThroughputOptions } from "./throughput.ts";
import type { World } from "./world.ts";

/** The accept function by itself, against the least that any such function has to do: insert one row. */
export async function acceptInSql(
  world: World,
  call: RecordedCall,
  { pgbench, connections, seconds, rounds }: ThroughputOptions,
): Promise<Row[]> {
  const url = await world.createDatabase("bench_accept");
  await createInsertTable(url);
  const rows: Row[] = [];
  for (const clients of [1, connections]) {
    // deno-lint-ignore no-await-in-loop -- They must not run at once.
    const { ours, rival } = await compareSql(
      (which) =>
        runSql(
          pgbench,
          url,
          which === "ours" ? acceptCall(call) : insertCall(call),
          clients,
          seconds,
        ),
      rounds,
    );
    rows.push({
      measure: `accept_voice_event in SQL, ${clients} ${
        clients === 1 ? "connection" : "connections"
      }`,
      unit: "/s",
      ...ratio(ours.perSec, "single-row insert", rival.perSec),
      aim: { least: 0.5 },
    });
  }
  // Where the time goes: what the function takes beyond writing its own rows.
  const { ours, rival } = await compareSql(
    (which) =>
      runSql(
        pgbench,
        url,
        which === "ours" ? acceptCall(call) : bareRows(call),
        connections,
        seconds,
      ),
    rounds,
  );
  rows.push({
    measure: `accept_voice_event in SQL, beyond its own rows, ${connections} connections`,
    unit: "/s",
    ...ratio(ours.perSec, "its own rows, bare", rival.perSec),
  });
  return rows;
}
