// COPY by postgres.js, so that whatever happens on the way the connection can be asked the next thing.

import { finished } from "node:stream/promises";
import type { PendingQuery, Row, Sql } from "postgres";

/** The rows of a `COPY ... TO stdout`. Where they are read no further, the rest is let go by. */
export async function* copyOut(query: PendingQuery<Row[]>): AsyncGenerator<Uint8Array> {
  const rows = await query.readable();
  const ended = finished(rows);
  ended.catch(() => {});
  try {
    yield* rows.iterator({ destroyOnReturn: false });
  } finally {
    rows.resume();
    await ended;
    // postgres.js pauses its socket while the stream is full, and nobody reads from one that has ended: what the
    // server says next would never arrive.
    rows._read(0);
  }
}

/**
 * Sends rows to a `COPY ... FROM stdin`. Where they end in an error, none is copied.
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
