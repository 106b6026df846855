import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import postgres, { type Sql } from "postgres";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import type { TestDatabase } from "./database.ts";
import { newCallSid, voiceEvent } from "./events.ts";

// People, holding and promises, as the events of calls reach the database; Twilio's part is played by what a leg would tell.

export const LINE = "+15877428885";
const GROUP = { members: ["p1", "p2", "p3"], seconds: 20, confirm: true };
const FLOW = {
  schema: 1,
  zone: "America/Edmonton",
  start: "main",
  groups: { desk: GROUP, all: GROUP },
  nodes: {
    main: {
      type: "menu",
      tries: 1,
      options: [{ key: "1", next: "hold" }, { key: "2", next: "back" }, { key: "3", next: "ring" }],
      otherwise: "bye",
    },
    hold: {
      type: "queue",
      group: "desk",
      offer: "back",
      answered: "bye",
      gave_up: "bye",
      full: "bye",
    },
    ring: { type: "ring", group: "all", answered: "bye", unanswered: "bye" },
    back: { type: "callback", group: "desk", next: "bye", refused: "bye" },
    bye: { type: "end" },
  },
};
export const HASH = "ab".repeat(32);

export interface Facts {
  queue?: {
    position: number;
    ringing?: number;
    taken?: boolean;
    wait?: { low_sec: number; high_sec: number; samples: number };
  };
  attempt?: { won: boolean; over: boolean; why?: string; call_sid?: string; summary?: string };
  callbacks?: Record<string, boolean>;
  queues?: Record<string, { full: boolean }>;
  self?: { handle: string; available: boolean };
  transfer?: string;
  wake?: boolean;
  longest_idle?: string;
}

let callers = 0;

/** One owner's practice, with the flow published and so many verified people. */
export async function practice(
  sql: Sql,
  people: number,
  group: Record<string, unknown> = {},
  changes: Record<string, unknown> = {},
) {
  const members = Array.from({ length: people }, (_, i) => `p${i + 1}`);
  const flow = {
    ...FLOW,
    ...changes,
    groups: {
      desk: { ...GROUP, members, ...group },
      // Of a group that does not say how, all ring.
      all: { ...GROUP, members, ...group },
    },
  };
  await sql`select publish_flow(null, 'practice', ${sql.json(flow as never)}, ${HASH}, ${[LINE]})`;
  for (const [i, handle] of members.entries()) {
    // deno-lint-ignore no-await-in-loop
    await sql`
      insert into people (handle, name, phone, verified_at)
      values (${handle}, ${handle}, ${`+1403555${String(i + 1000)}`}, now())`;
  }
  return sql;
}

export async function accept(sql: Sql, event: VoiceEvent): Promise<Facts> {
  const [row] = await sql<{ facts: Facts | null }[]>`
    select accept_voice_event(${sql.json(event as never)}) #> '{call,facts}' as facts`;
  return row!.facts ?? {};
}

export class Caller {
  readonly sid = newCallSid();
  readonly from: string | undefined;
  #turn = 0;
  constructor(
    readonly sql: Sql,
    from?: string | null,
    readonly to: { readonly line: string; readonly account?: string | undefined } = { line: LINE },
  ) {
    this.from = from === null ? undefined : from ?? `+1780${String(2_000_000 + ++callers)}`;
  }
  event(changes: Partial<VoiceEvent>, ask: Record<string, unknown>): VoiceEvent {
    return voiceEvent(this.sid, {
      operation: "voice-menu-handler",
      identity: `turn-${++this.#turn}`,
      call_status: "in-progress",
      from_e164: this.from as never,
      to_e164: this.to.line,
      account_sid: this.to.account,
      ask: ask as never,
      ...changes,
    });
  }
  arrives = () =>
    accept(
      this.sql,
      this.event({ operation: "voice-frontdoor", event: "arrived" }, { line: this.to.line }),
    );
  leaves = (node: string, outcome: string, ask: Record<string, unknown> = {}) =>
    accept(
      this.sql,
      this.event({ event: "menu", meta: { node, outcome } }, {
        flow: HASH,
        callable: true,
        ...ask,
      }),
    );
  waits = () => accept(this.sql, this.event({ event: "queue_waited" }, { flow: HASH, queue: {} }));
  /** The talk has ended for the caller. */
  comesBack = (node = "hold") =>
    accept(
      this.sql,
      this.event({ event: "queue_left", meta: { node, outcome: "answered" } }, { flow: HASH }),
    );
  /** What a leg that was dialled for this call tells. */
  leg = (token: string, leg_sid: string, told: string, changes: Partial<VoiceEvent> = {}) =>
    accept(
      this.sql,
      this.event({
        // As those of the functions, it names the leg: the event may be folded into another call.
        identity: `leg-${leg_sid}-${crypto.randomUUID()}`,
        event: told === "connected" ? "leg_accepted" : "leg_asked",
        leg_sid,
        parent_call_sid: this.sid,
        call_status: undefined,
        status: "in-progress",
        leg_status: "in-progress",
        talk_sec: 0,
        ...changes,
      }, { attempt: { token, told } }),
    );
  hangsUp = () =>
    accept(
      this.sql,
      { ...this.event({ event: "status", call_status: "completed" }, {}), ask: undefined },
    );
  async holds() {
    await this.arrives();
    return await this.leaves("main", "options.0");
  }
}

export interface Attempt {
  token: string;
  call_sid: string;
  to_e164: string;
  purpose: string;
  state: string;
  result: string | null;
  ended_at: Date | null;
  callback_id: string | null;
}

export const attempts = (sql: Sql, open = true): Promise<Attempt[]> =>
  sql<Attempt[]>`
    select * from dial_attempts where ended_at is null or not ${open} order by id`.then((
    rows,
  ) => [...rows]);

let legs = 0;
export const newLeg = () => `CA${String(++legs).padStart(32, "d")}`;

/** What the leg of an attempt tells. */
export async function told(
  sql: Sql,
  token: string,
  leg: string,
  status: string | null,
  what: string | null = null,
  code: string | null = null,
) {
  const [row] = await sql<
    {
      told: NonNullable<Facts["attempt"]> & {
        wake: number;
        may_transfer?: boolean;
        transfer?: { state: string; to?: string };
      };
    }[]
  >`select attempt_told(${token}, ${leg}, ${status}, ${what}, ${code}) as told`;
  return row!.told;
}

/** Callers in one queue, from four sessions, and people who take them round by round; asserts the order and the places. */
export async function holdInOrder(
  db: TestDatabase,
  { callers, people }: { callers: number; people: number },
) {
  const sql = await practice(db.sql, people);
  const sessions = Array.from({ length: 4 }, () => postgres(db.url, { max: 1 }));
  const all = Array.from({ length: callers }, (_, n) => new Caller(sessions[n % 4]!));
  const last = new Map<string, number>();
  const hears = ({ sid }: Caller, { queue }: Facts) => {
    if (queue === undefined) return;
    assert(queue.position <= (last.get(sid) ?? Infinity), "a position rose");
    last.set(sid, queue.position);
  };
  try {
    await Promise.all(sessions.map(async (_, i) => {
      for (const caller of all.filter((_, n) => n % 4 === i)) {
        // deno-lint-ignore no-await-in-loop
        await caller.arrives();
        // deno-lint-ignore no-await-in-loop
        hears(caller, await caller.leaves("main", "options.0"));
      }
    }));
    assertEquals((await attempts(sql)).length, people, "nobody is dialled twice, nobody is idle");
    const order = (await sql`select call_sid from queue_entries order by queued_at, id`)
      .map(({ call_sid }) => call_sid);
    const connected: string[] = [];
    for (let left = callers; left > 0;) {
      // deno-lint-ignore no-await-in-loop
      const open = await attempts(sql);
      assertEquals(open.length, Math.min(people, left), "nobody is idle while somebody waits");
      assertEquals(new Set(open.map((a) => a.to_e164)).size, open.length);
      for (const a of open) {
        const leg = newLeg();
        // deno-lint-ignore no-await-in-loop
        const { won, call_sid } = await told(sql, a.token, leg, "in-progress", "pressed");
        assert(won);
        connected.push(call_sid!);
        // deno-lint-ignore no-await-in-loop
        await told(sql, a.token, leg, "in-progress", "connected");
        // deno-lint-ignore no-await-in-loop
        await told(sql, a.token, leg, "completed");
      }
      left -= open.length;
      for (const caller of all.filter((_, n) => n % 25 === left % 25)) {
        // deno-lint-ignore no-await-in-loop
        hears(caller, await caller.waits());
      }
    }
    assertEquals(connected, order);
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
}
