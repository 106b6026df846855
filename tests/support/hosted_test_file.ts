// Runs in the hosted runtime, Deno 2.1.4: gives test files what they use of today's Deno and it lacks.
// The functions that they test are as they are.

import { HOSTED_FLAGS } from "./hosted_runtime.ts";

type Hook = () => void | Promise<void>;

const { test, serve, Command } = Deno;
const beforeAll: Hook[] = [];
const beforeEach: Hook[] = [];
const afterAll: Hook[] = [];

/** Registers the tests of a file, and after them what it wants done at its end. */
export async function load(file: string): Promise<void> {
  await import(file);
  if (afterAll.length === 0) return;
  test({
    name: `after all of ${file}`,
    ...UNGUARDED,
    async fn() {
      for (const hook of afterAll) await hook();
    },
  });
}

/** To this Deno a server that a file keeps for all its tests is a leak of each; leaks are what today's looks for. */
const UNGUARDED = { sanitizeOps: false, sanitizeResources: false };

function register(name: string | Deno.TestDefinition, body?: Deno.TestDefinition["fn"]): void {
  const given = typeof name === "string" ? { name, fn: body! } : name;
  test({
    ...given,
    ...UNGUARDED,
    async fn(context) {
      for (const hook of beforeAll.splice(0)) await hook();
      for (const hook of beforeEach) await hook();
      await given.fn(context);
    },
  });
}

/** Its graceful shutdown at times never ends, though nobody is connected: the tests wait no longer than this. */
const SHUTDOWN_MS = 1000;

function serveAndEnd(...args: unknown[]): Deno.HttpServer {
  const server = (serve as (...args: unknown[]) => Deno.HttpServer)(...args);
  const shutdown = server.shutdown.bind(server);
  const late = () => new Promise<void>((resolve) => setTimeout(resolve, SHUTDOWN_MS));
  const over = Promise.withResolvers<void>();
  server.shutdown = () => Promise.race([shutdown(), late()]).then(over.resolve);
  Object.defineProperty(server, "finished", {
    value: Promise.race([server.finished, over.promise]),
  });
  return server;
}

/** A program that a test runs by its own Deno is run as the test file is. */
class HostedCommand extends Command {
  constructor(command: string | URL, options: Deno.CommandOptions = {}) {
    const [first, ...rest] = options.args ?? [];
    const isProgram = command === Deno.execPath() && first === "run";
    super(command, isProgram ? { ...options, args: ["run", ...HOSTED_FLAGS, ...rest] } : options);
  }
}

Object.assign(register, {
  beforeAll: (hook: Hook) => void beforeAll.push(hook),
  beforeEach: (hook: Hook) => void beforeEach.push(hook),
  afterAll: (hook: Hook) => void afterAll.push(hook),
});
Object.assign(Deno, { test: register, serve: serveAndEnd, Command: HostedCommand });
