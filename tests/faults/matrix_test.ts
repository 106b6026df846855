import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertLess } from "@std/assert/less.js";
import { join } from "@std/path/join.js";
import { ROOT } from "../../scripts/local/stack.ts";
import { FAULTS, startRig, switchboard } from "../support/faults.ts";
import {
  legReported,
  type Params,
  parseTwiml,
  pathOf,
  pressed,
  PUBLIC_URL,
  recordingReported,
  signedRequest,
  type TwimlAnswer,
} from "../support/webhook.ts";
import { ANSWER_LOST, cell, type FaultyStep, STEPS } from "./matrix.ts";

// Each fault at each step of a call: what the caller hears, what is answered, and what is kept. PostgreSQL and the
// Data API are really broken. docs/faults.md has the same matrix in words.

const rig = await startRig();
Deno.test.afterAll(() => rig.stop());

/** Twilio waits no longer. */
const ANSWERED_WITHIN_MS = 15_000;
/** The deadline of these tests: they are about what happens after it, whenever that is. */
const DEADLINE_MS = 300;

const hurried = switchboard(rig.deps({ deadlineMs: DEADLINE_MS }));
const call = switchboard(rig.deps());

async function send(to: string, params: Params, through = call): Promise<Response> {
  const [name = "", query] = to.split("?");
  const request = signedRequest(name as FaultyStep["to"], params, {
    query: query === undefined ? "" : `?${query}`,
  });
  return await through(`${PUBLIC_URL}/${to}`, {
    method: "POST",
    headers: request.headers,
    body: await request.text(),
  });
}

/** Twilio delivers again: `#rc=4&rp=5xx`. */
async function deliver(to: string, params: Params): Promise<number> {
  let status = 0;
  for (let attempt = 0; attempt < 5; attempt++) {
    // deno-lint-ignore no-await-in-loop -- An attempt follows from the one before.
    const response = await send(to, params);
    // deno-lint-ignore no-await-in-loop
    await response.body?.cancel();
    status = response.status;
    if (status < 500) break;
  }
  return status;
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  readonly ms: number;
}

interface Seen {
  readonly answer: Answer;
  /** Events of the call that are kept while the fault lasts; `undefined` where PostgreSQL is the one at fault. */
  readonly keptMeanwhile: number | undefined;
  /** What Twilio's next webhook, or its retry, was answered after recovery. */
  readonly next: number;
  readonly row: Record<string, unknown> | undefined;
  /** How often the callback's own event is kept in the end. */
  readonly kept: number;
}

let calls = 0;

/** The step's webhook, of a call of its own and a caller of its own. */
function own(step: FaultyStep): Params & Record<string, string> {
  const n = (++calls).toString(16).padStart(32, "0");
  const params = step.params as Record<string, string>;
  return {
    ...params,
    ...(params.ParentCallSid === undefined
      ? { CallSid: `CA${n}` }
      : { CallSid: `CA${n.replace(/^0/, "f")}`, ParentCallSid: `CA${n}` }),
    ...(step.name === "frontdoor" && { From: `+1416555${1000 + calls}` }),
  };
}

const callOf = (params: Record<string, string>) => params.ParentCallSid ?? params.CallSid!;

async function answerOf(response: Promise<Response>): Promise<Answer> {
  const started = performance.now();
  const { status, headers, ...rest } = await response.then(async (response) => ({
    status: response.status,
    headers: response.headers,
    text: await response.text(),
  }));
  return { status, type: headers.get("content-type"), ms: performance.now() - started, ...rest };
}

/** All steps under one fault, at once, and what follows when it is over. */
async function suffer(fault: string): Promise<Map<FaultyStep, Seen>> {
  // Connections are there, as they are on a line in use.
  await Promise.all(STEPS.map((step) => send(path(step), own(step)).then((r) => r.text())));
  const webhooks = STEPS.map((step) => ({ step, params: own(step) }));

  const mend = await FAULTS[fault]!(rig);
  let met;
  try {
    met = await Promise.all(webhooks.map(async ({ step, params }) => ({
      step,
      params,
      answer: await answerOf(send(path(step), params, hurried)),
      keptMeanwhile: ANSWER_LOST.includes(fault)
        ? await count(callOf(params), step.event ?? null)
        : undefined,
    })));
  } finally {
    await mend();
    await rig.recovered();
  }
  return new Map(
    await Promise.all(met.map(async ({ step, params, answer, keptMeanwhile }) => {
      const [to, what] = whatFollows(step, params, answer);
      const next = await deliver(to, what);
      const [row] = await rig.sql`select * from call_logs where call_sid = ${callOf(params)}`;
      const kept = await count(callOf(params), step.event ?? null);
      return [step, { answer, keptMeanwhile, next, row, kept }] as const;
    })),
  );
}

async function count(callSid: string, event: string | null): Promise<number> {
  const [found] = await rig.sql`
    select count(*)::int as n from call_lifecycle
    where call_sid = ${callSid} and (event = ${event} or ${event}::text is null)`;
  return found!.n;
}

const path = (step: FaultyStep) => `${step.to}${step.query}`;

/** What Twilio sends next: the same once more, or what the TwiML that it was given asks for. */
function whatFollows(
  step: FaultyStep,
  params: Record<string, string>,
  answer: Answer,
): [string, Params] {
  const CallSid = callOf(params);
  switch (step.outcome) {
    case "again":
      return [path(step), params];
    case "menu":
      return [
        pathOf(verb(answer, "Gather").attributes.action),
        { ...pressed("1"), CallSid, From: params.From! },
      ];
    case "dial": {
      const [number] = verb(answer, "Dial").children;
      const leg = legReported("in-progress", { ParentCallSid: CallSid });
      return [pathOf(number!.attributes.statusCallback), leg];
    }
    case "message":
      return [pathOf(verb(answer, "Record").attributes.recordingStatusCallback), {
        ...recordingReported,
        CallSid,
      }];
    case "thanks":
      return [path(step).replace("event=recorded", "event=recording"), {
        ...recordingReported,
        CallSid,
      }];
  }
}

function verb({ text }: Answer, name: string): TwimlAnswer["verbs"][number] {
  const found = parseTwiml(text).find((verb) => verb.name === name);
  if (found === undefined) throw new Error(`Expected <${name}>: ${text}`);
  return found;
}

function assertServed(step: FaultyStep, answer: Answer): void {
  assertEquals([answer.status, answer.type], [200, "text/xml; charset=utf-8"], answer.text);
  const names = parseTwiml(answer.text).map(({ name }) => name);
  switch (step.outcome) {
    case "menu":
      assert(names.includes("Gather"), answer.text);
      break;
    case "dial": {
      const dial = verb(answer, "Dial");
      assertEquals(dial.children.map(({ text }) => text), [step.dials]);
      assertEquals(dial.attributes.record, undefined, "consent is not known to be given");
      break;
    }
    case "message":
      assert(names.includes("Record"), answer.text);
      break;
    case "thanks":
      assertEquals(names, ["Say", "Hangup"]);
      break;
  }
}

const suffered = new Map<string, Promise<Map<FaultyStep, Seen>>>();

for (const fault of Object.keys(FAULTS)) {
  for (const step of STEPS) {
    const code = cell(fault, step);
    Deno.test(`${fault} at ${step.name}: ${code}`, async () => {
      if (!suffered.has(fault)) suffered.set(fault, suffer(fault));
      const seen = (await suffered.get(fault)!).get(step)!;

      if (step.outcome === "again") {
        assertEquals([seen.answer.status, seen.answer.text], [503, '{"error":"unavailable"}']);
        assertEquals(seen.next, 204, "the retry is kept");
        assertEquals(seen.kept, 1, "once");
      } else {
        assertServed(step, seen.answer);
        assert(seen.next < 300, `Twilio's next webhook is answered ${seen.next}`);
      }
      assertLess(seen.answer.ms, ANSWERED_WITHIN_MS);
      if (code === "kept") assertEquals(seen.keptMeanwhile, 1);
      for (const [column, value] of Object.entries(step.row)) {
        if (column === "from_e164") assert(seen.row?.from_e164, "the call is known");
        else assertEquals(seen.row?.[column], value, column);
      }
    });
  }
}

Deno.test("without a fault every cell differs: events are stored at once", async () => {
  for (const step of STEPS) {
    const params = own(step);
    const answer = await answerOf(send(path(step), params));
    assertEquals(answer.status, step.outcome === "again" ? 204 : 200, step.name);
    assertEquals(await count(callOf(params), null), 1, step.name);
    if (step.outcome === "dial") {
      const consented = step.row.consent_given === true;
      assertEquals(
        verb(answer, "Dial").attributes.record,
        consented ? "record-from-answer-dual" : undefined,
        step.name,
      );
    }
  }
});

Deno.test("with the deadlines of a deployment every step is answered within 6 s: PostgreSQL frozen or locked, Data API hanging", async () => {
  const answers = async () =>
    await Promise.all(
      STEPS.map(async (step) => ({
        step,
        answer: await answerOf(send(path(step), own(step))),
      })),
    );
  const check = (all: Awaited<ReturnType<typeof answers>>) => {
    for (const { step, answer } of all) {
      assertLess(answer.ms, ANSWERED_WITHIN_MS, step.name);
      if (step.outcome === "again") assertEquals(answer.status, 503, step.name);
      else assertServed(step, answer);
    }
  };

  const unlock = await FAULTS["postgres-locked"]!(rig);
  // Refused by PostgreSQL itself, before the deadline: a lock may keep a caller waiting for 3 s.
  check(await answers().finally(unlock));
  assert(rig.lines.some((line) => line.includes("Data API 500 55P03")), "the lock timeout is told");

  const [thaw, open] = [
    await FAULTS["postgres-frozen"]!(rig),
    await FAULTS["api-hanging"]!(rig),
  ];
  check(
    await answers().finally(async () => {
      await open();
      await thaw();
    }),
  );
});

Deno.test("no log line written under any fault holds a phone number, a key or what was said", () => {
  const log = rig.lines.join("\n");
  assert(log.includes('"outcome":"unavailable"'));
  assertEquals(/\+\d{7,}|sb_secret|invoice/.exec(log), null);
});

// --- docs/faults.md -------------------------------------------------------------------------------------------

/** The cells of the first table under a heading of docs/faults.md. */
async function table(heading: string): Promise<string[][]> {
  const text = await Deno.readTextFile(join(ROOT, "docs", "faults.md"));
  const section = text.split(`\n## ${heading}\n`)[1] ?? "";
  const rows = section.split("\n## ")[0]!.split("\n").filter((line) => line.startsWith("|"));
  return rows.map((line) =>
    line.split("|").slice(1, -1).map((text) => text.trim().replaceAll("`", ""))
  );
}

Deno.test("docs/faults.md has this matrix, cell by cell", async () => {
  const [head, , ...rows] = await table("The matrix");
  assertEquals(head, ["fault", ...STEPS.map((step) => step.name)]);
  assertEquals(
    rows,
    Object.keys(FAULTS).map((fault) => [fault, ...STEPS.map((step) => cell(fault, step))]),
  );
});

Deno.test("docs/faults.md explains each fault and each code, and no other", async () => {
  const names = async (heading: string) => (await table(heading)).slice(2).map(([name]) => name);
  assertEquals(await names("The faults"), Object.keys(FAULTS));
  const codes = Object.keys(FAULTS).flatMap((fault) => STEPS.map((step) => cell(fault, step)));
  assertEquals(new Set(await names("The codes")), new Set(codes));
});
