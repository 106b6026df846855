import { assertEquals } from "@std/assert/equals.js";
import {
  beforeThat,
  deployedNow,
  deployLog,
  type LogEntry,
  servingNow,
  type Versions,
} from "../../scripts/deploy/versions.ts";
import { fakeDataApi } from "../support/fake_data_api.ts";

Deno.test("the deploy log is written once the Data API knows the migrations that were just applied", async () => {
  let known = 3;
  await using api = fakeDataApi(() =>
    known-- > 0
      ? Response.json({ code: "PGRST202" }, { status: 404 })
      : new Response(null, { status: 204 })
  );
  const waited: number[] = [];
  const log = deployLog({ projectUrl: api.url, secretKey: "sb_secret_x" }, (ms) => {
    waited.push(ms);
    return Promise.resolve();
  });
  await log.write({ event: "deploy_started", versions: {}, previous: {} });
  assertEquals([waited, api.calls.length], [[1000, 1000, 1000], 4]);
});

const ONE = { route: "one" };
const TWO = { route: "two", newer: "two" };
const THREE = { route: "three", newer: "three", newest: "three" };

function entry(event: LogEntry["event"], versions: Versions, previous: Versions): LogEntry {
  return { event, versions, previous };
}

/** Two deploys that went well, newest first. */
const WELL = [
  entry("deploy_succeeded", TWO, ONE),
  entry("deploy_started", TWO, ONE),
  entry("deploy_succeeded", ONE, {}),
  entry("deploy_started", ONE, {}),
];

for (
  const [what, log, serving, before, there] of [
    ["nothing was deployed", [], {}, {}, []],
    ["two deploys went well", WELL, TWO, ONE, ["newer", "route"]],
    [
      "nobody knows how the newest deploy ended",
      [entry("deploy_started", THREE, TWO), ...WELL],
      TWO,
      TWO,
      ["newer", "newest", "route"],
    ],
    [
      "the newest deploy failed, and so did its way back",
      [entry("deploy_failed", THREE, TWO), entry("deploy_started", THREE, TWO), ...WELL],
      TWO,
      TWO,
      ["newer", "newest", "route"],
    ],
    [
      "the newest deploy failed, and was taken back",
      [entry("deploy_failed", TWO, TWO), entry("deploy_started", THREE, TWO), ...WELL],
      TWO,
      ONE,
      ["newer", "route"],
    ],
    [
      "a rollback went well",
      [entry("rollback_succeeded", ONE, TWO), ...WELL],
      ONE,
      {},
      ["route"],
    ],
    [
      "a rollback could not delete a function",
      [{ ...entry("rollback_succeeded", ONE, TWO), undeleted: ["newer"] }, ...WELL],
      ONE,
      ONE,
      ["newer", "route"],
    ],
    [
      "a rollback failed",
      [entry("rollback_failed", ONE, TWO), ...WELL],
      TWO,
      ONE,
      ["newer", "route"],
    ],
  ] as [string, LogEntry[], Versions, Versions, string[]][]
) {
  Deno.test(`the deploy log where ${what}: what serves, what a rollback brings, what is there`, () => {
    assertEquals(servingNow(log), serving);
    assertEquals(beforeThat(log), before);
    assertEquals(deployedNow(log), there);
  });
}
