import { connect as connectTcp, type Socket } from "node:net";
import postgres, { type Sql } from "postgres";
import { RestError, unreachable } from "./rest_error.ts";

/** How long a request waits for a connection, and then for PostgreSQL, in milliseconds. */
const PATIENCE = 10_000;

/** How long PostgreSQL may take to let a connection in, in seconds: a machine that is busy takes its time. */
const CONNECT_TIMEOUT = 10;

/** The connection broke before the work on it was through. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

/** One connection, from its first statement to its last; it never opens itself anew. */
export interface Connection {
  readonly sql: Sql;
  /** The statements that it has prepared, so that they can be sent without waiting. */
  readonly prepared: Set<string>;
}

interface OwnConnection extends Connection {
  alive: boolean;
  socket: Socket | undefined;
}

/**
 * Connections to one database.
 *
 * Its own rather than that of postgres.js, whose `reserve` loses connections when PostgreSQL goes
 * away, and which may send what waits in line for a broken connection to the next one, outside the
 * transaction it belongs to.
 */
export class Pool {
  readonly #url: URL;
  readonly #all = new Set<OwnConnection>();
  readonly #idle: OwnConnection[] = [];
  readonly #waiting = new Set<() => void>();
  #free: number;

  /** @param size the connections at most; who finds none free waits in line. */
  constructor(url: URL, size: number) {
    this.#url = url;
    this.#free = size;
  }

  /**
   * Runs `work` on a connection of its own. It must leave no transaction open, and throw
   * {@linkcode ConnectionLost} when the connection broke.
   *
   * @throws {RestError} 503 when PostgreSQL cannot be reached or does not answer, 504 when no
   * connection came free.
   */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    await this.#enter();
    const connection = this.#idle.pop() ?? this.#open();
    const timer = setTimeout(() => connection.socket?.destroy(), PATIENCE);
    try {
      return await work(connection);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      connection.alive = false;
      throw unreachable();
    } finally {
      clearTimeout(timer);
      if (connection.alive) this.#idle.push(connection);
      else this.#discard(connection);
      this.#leave();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map(({ sql }) => sql.end({ timeout: 1 })));
  }

  #open(): OwnConnection {
    const { hostname, port } = this.#url;
    let opened = false;
    const openSocket = () =>
      new Promise<Socket>((resolve, reject) => {
        if (opened) throw new ConnectionLost("Cannot use a connection that was lost");
        opened = true;
        const socket = connectTcp({ host: hostname, port: Number(port || 5432), noDelay: true });
        connection.socket = socket;
        socket.once("error", reject);
        socket.once("connect", () => {
          socket.off("error", reject);
          resolve(socket);
        });
      });
    const options = {
      max: 1,
      connect_timeout: CONNECT_TIMEOUT,
      fetch_types: false,
      max_lifetime: null,
      onnotice: () => {},
      onclose: () => {
        connection.alive = false;
        const at = this.#idle.indexOf(connection);
        if (at !== -1) {
          this.#idle.splice(at, 1);
          this.#discard(connection);
        }
      },
      connection: { application_name: "data-api" },
      // Not in the published types.
      socket: openSocket,
    };
    const sql = postgres(this.#url.href, options);
    const connection: OwnConnection = {
      sql,
      prepared: new Set(),
      alive: true,
      socket: undefined,
    };
    this.#all.add(connection);
    return connection;
  }

  #discard(connection: OwnConnection): void {
    this.#all.delete(connection);
    connection.socket?.destroy();
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer);
        this.#waiting.delete(enter);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(enter);
        const message = "Timed out acquiring connection from connection pool.";
        reject(new RestError(504, "PGRST003", message));
      }, PATIENCE);
      this.#waiting.add(enter);
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free++;
    else next();
  }
}
