/** How fast: every measure of issue 6, and what it is held against, in one run. See README.md beside this file. */
import { command, FLAG, numberFrom, type Parsed, textThat } from "../../scripts/command.ts";
import { agent } from "./agent.ts";
import { acceptInSql } from "./accept_sql.ts";
import { bundles, functionNames } from "./bundles.ts";
import { campaigns } from "./campaigns.ts";
import { coldStart, HOT } from "./cold_start.ts";
import { degraded } from "./degraded.ts";
import { flows } from "./flows.ts";
import { history } from "./history.ts";
import { jobsPerSecond } from "./jobs.ts";
import { ownTime } from "./own_time.ts";
import { people } from "./people.ts";
import { recordCall } from "./recorded_call.ts";
import { isMet, type Machine, type Row, table } from "./report.ts";
import { search } from "./search.ts";
import { storage } from "./storage.ts";
import { strangers } from "./strangers.ts";
import { throughput } from "./throughput.ts";
import { findPgbench, startWorld, type World } from "./world.ts";

const MEASURES = [
  "call",
  "strangers",
  "own",
  "flows",
  "throughput",
  "accept",
  "cold",
  "code",
  "history",
  "search",
  "storage",
  "jobs",
  "people",
  "campaigns",
  "agent",
];

const HELP = `Measures this checkout, each figure beside what it is held against.

  npx -y deno@2.9.6 task bench                   everything; about 12 minutes
  npx -y deno@2.9.6 task bench --quick           everything, roughly; under a minute
  npx -y deno@2.9.6 task bench --only cold,code  some measures: ${MEASURES.join(", ")}

  --calls <n>        calls in the long history (default 1000000; 25000 when quick)
  --connections <n>  webhooks at once, and connections of pgbench (default 16)
  --no-sync          a database that does not wait for the disk: what is left is processor time
  --driver           as if there were no pgbench
  --json             print the rows as JSON and nothing else
  --help

Always exit code 0 when it could measure: a slow machine is no fault.
`;

interface Options {
  quick: boolean;
  only: string[] | undefined;
  calls: number;
  connections: number;
  sync: boolean;
  pgbench: string | undefined;
  log: (line: string) => void;
}

async function measure(world: World, options: Options): Promise<Row[]> {
  const { quick, pgbench, connections, log } = options;
  const names = await functionNames();
  log("Ringing the hotline once, and keeping what goes over the wire");
  const call = await recordCall();
  const load = { pgbench, connections, seconds: quick ? 1 : 4, rounds: quick ? 1 : 5 };
  const sections: Record<string, [title: string, run: () => Promise<Row[]>]> = {
    call: ["The call itself", async () => [
      {
        measure: `round trips to the database per webhook (${call.steps.length} webhooks)`,
        unit: "",
        ours: call.roundTrips / call.steps.length,
        aim: { most: 1 },
      },
      ...await degraded(),
      {
        measure: "webhooks heard by a caller who presses 1, until somebody's telephone rings",
        unit: "",
        ours: call.heard,
        aim: { most: 2 },
      },
    ]],
    strangers: ["What strangers cost", () => strangers(quick ? 20 : 200)],
    own: [
      "Our own time per webhook",
      () => ownTime(call, quick ? { rounds: 3, requests: 300 } : { rounds: 10, requests: 2000 }),
    ],
    flows: [
      "Flows: checked, answered, kept",
      () =>
        flows(
          quick
            ? { rounds: 50, walks: 200, published: 500 }
            : { rounds: 500, walks: 100_000, published: 10_000 },
        ),
    ],
    throughput: ["Webhooks per second", () => throughput(call, load)],
    accept: ["The accept function", () => acceptInSql(world, call, load)],
    cold: ["Cold starts", () => coldStart(call, quick ? HOT : names, quick ? 3 : 9)],
    code: ["Code", () => bundles(quick ? HOT : names)],
    history: [
      "History",
      () =>
        history(world, call, { ...load, long: options.calls, short: quick ? 5000 : 10_000, log }),
    ],
    search: [
      "Search",
      () =>
        search(world, {
          passages: quick ? 50_000 : 1_000_000,
          searches: quick ? 10 : 40,
          log,
        }),
    ],
    jobs: [
      "Jobs",
      () =>
        jobsPerSecond(world, {
          count: quick ? 1000 : 5000,
          rounds: quick ? 1 : 3,
          long: quick ? 20_000 : 1_000_000,
          log,
        }),
    ],
    agent: ["Talks with agents", () => agent(quick ? 5 : 50)],
    people: [
      "Holding, accepting, calling back",
      () =>
        people(
          world,
          quick
            ? { callers: 300, races: 100, promises: 100 }
            : { callers: 1000, races: 10_000, promises: 10_000 },
        ),
    ],
    campaigns: [
      "Campaigns",
      () =>
        campaigns(
          world,
          quick ? { contacts: 30_000, dials: 4000 } : { contacts: 300_000, dials: 8000 },
        ),
    ],
    storage: ["Storage", () => storage(world, call, { pgbench, seconds: load.seconds })],
  };
  const rows: Row[] = [];
  for (const [key, [title, run]] of Object.entries(sections)) {
    if (options.only !== undefined && !options.only.includes(key)) continue;
    log(title);
    // deno-lint-ignore no-await-in-loop -- One at a time: each wants the machine for itself.
    rows.push(...await run());
  }
  return rows;
}

async function machineOf(pgbench: string | undefined, loadBefore: number): Promise<Machine> {
  const cpuinfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const version = async (path: string) => {
    const { stdout } = await new Deno.Command(path, { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  return {
    cpu: /^model name\s*: *(.*)$/m.exec(cpuinfo)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryGb: Math.round(Deno.systemMemoryInfo().total / 1e9),
    os: `${Deno.build.os} ${Deno.osRelease()}`,
    deno: Deno.version.deno,
    postgres: "17 (embedded)",
    pgbench: pgbench === undefined
      ? "none: a loop over the driver instead"
      : await version(pgbench),
    loadBefore,
  };
}

const OPTIONS = {
  quick: FLAG,
  json: FLAG,
  "no-sync": FLAG,
  driver: FLAG,
  only: textThat(
    `name some of ${MEASURES.join(", ")}`,
    (value) => value.split(",").every((name) => MEASURES.includes(name)),
  ),
  calls: numberFrom(1, true),
  connections: numberFrom(1, true),
};

async function bench(options: Parsed<{ options: typeof OPTIONS }>["values"]): Promise<number> {
  const started = performance.now();
  const log = (line: string) => {
    if (!options.json) console.error(line);
  };
  const loadBefore = Deno.loadavg()[0]!;
  const pgbench = options.driver ? undefined : await findPgbench();
  if (pgbench === undefined) {
    log("There is no pgbench here: a loop over the driver takes its place");
  }
  const machine = await machineOf(pgbench, loadBefore);
  const world = await startWorld(!options["no-sync"]);
  let rows: Row[];
  try {
    rows = await measure(world, {
      quick: options.quick,
      only: options.only?.split(","),
      calls: Number(options.calls ?? (options.quick ? 25_000 : 1_000_000)),
      connections: Number(options.connections ?? 16),
      sync: !options["no-sync"],
      pgbench,
      log,
    });
  } finally {
    await world.stop();
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  if (options.json) {
    const result = rows.map((row) => ({ ...row, met: isMet(row) ?? null }));
    console.log(JSON.stringify({ machine, quick: options.quick, seconds, rows: result }, null, 2));
    return 0;
  }
  const { cpu, cores, memoryGb, os, deno, postgres } = machine;
  console.log(
    `\n${cores} cores (${cpu}), ${memoryGb} GB, ${os}, Deno ${deno}, PostgreSQL ${postgres}, ` +
      `${
        options["no-sync"] ? "commits not waited for" : "durable"
      }; pgbench: ${machine.pgbench}; ` +
      `load before ${loadBefore.toFixed(1)}; ${seconds} s\n`,
  );
  console.log(table(rows));
  return 0;
}

if (import.meta.main) {
  Deno.exit(
    await command(
      { task: "bench", help: HELP },
      { args: Deno.args, options: OPTIONS },
      ({ values }) => bench(values),
    ),
  );
}
