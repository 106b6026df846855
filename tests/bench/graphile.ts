// graphile-worker doing jobs that do nothing, as a process of its own: its packages are no part of this program, and
// stay out of deno.lock. Arguments: a database, how many jobs, how many at a time. With no jobs it only makes its schema.
// It says how many it did in a second.

/** As much of graphile-worker as is asked here. */
interface Graphile {
  readonly Logger: new (factory: () => () => void) => unknown;
  runMigrations(options: Record<string, unknown>): Promise<void>;
  run(options: Record<string, unknown>): Promise<{ stop(): Promise<void> }>;
}

const [connectionString, jobs, atOnce] = Deno.args;
const count = Number(jobs);
const concurrency = Number(atOnce);
// By the import map, at run time only: nothing else has to install it.
const name = "graphile-worker";
const { Logger, run, runMigrations }: Graphile = await import(name);
const options = { connectionString, logger: new Logger(() => () => {}) };
await runMigrations(options);
if (count > 0) {
  const all = Promise.withResolvers<void>();
  let done = 0;
  let started = 0;
  const bench = () => {
    // Not what it takes to connect.
    if (done === 0) started = performance.now();
    if (++done === count) all.resolve();
  };
  const runner = await run({
    ...options,
    concurrency,
    maxPoolSize: concurrency + 2,
    noHandleSignals: true,
    taskList: { bench },
  });
  await all.promise;
  console.log(count / (performance.now() - started) * 1000);
  await runner.stop();
}
Deno.exit();
