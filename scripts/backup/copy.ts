// COPY through postgres.js that leaves the connection usable after an error or an early end.

import { finished } from "node:stream/promises";
import type { PendingQuery, Row, Sql } from "postgres";

/** The rows of a `COPY ... TO stdout`. A reader that stops early discards the rest. */
export async function* copyOut(query: PendingQuery<Row[]>): AsyncGenerator<Uint8Array> {
  const rows = await query.readable();
  const ended = finished(rows);
  ended.catch(() => {});
  try {
    yield* rows.iterator({ destroyOnReturn: false });
  } finally {
    rows.resume();
    await ended;
    // postgres.js pauses its socket while the stream is full. After the stream has ended nothing reads from it, so the
    // server's next message would never arrive.
    rows._read(0);
  }
}

/**
 * Sends rows to a `COPY ... FROM stdin`. An error in `rows` copies none.
 *
 * @throws what `rows` throws, or `PostgresError` where the server refuses a row.
 */
export async function copyIn(
  sql: Sql,
  statement: string,
  rows: AsyncIterable<Uint8Array>,
): Promise<void> {
  const query = sql.unsafe(statement);
  const into = await query.writable();
  const failed = new Promise<never>((_, reject) => into.once("error", reject));
  failed.catch(() => {});
  try {
    for await (const chunk of rows) {
      if (!into.write(chunk)) {
        await Promise.race([new Promise((done) => into.once("drain", done)), failed]);
      }
    }
    await Promise.race([new Promise<void>((done) => into.end(() => done())), failed]);
  } catch (error) {
    into.destroy(error as Error);
    throw error;
  }
}
