// Campaigns at the database, and a Twilio that goes wrong in each way that it can, on a clock that can be put forward.

import { PostgrestClient } from "@supabase/postgrest-js";
import type { Sql } from "postgres";
import { LOCAL_SECRET_KEY } from "../../scripts/defaults.ts";
import { type Random, shuffled } from "../../scripts/phone/random.ts";
import type { CallStatus } from "../../supabase/functions/_shared/calls/webhook_form.ts";
import {
  type AttemptsAsked,
  attemptsOf,
} from "../../supabase/functions/_shared/campaigns/retry.ts";
import type { DataApi } from "../../supabase/functions/_shared/db/client.ts";
import { TwilioError } from "../../supabase/functions/_shared/twilio/client.ts";
import type { Leg, NewLeg, TwilioLegs } from "../../supabase/functions/_shared/twilio/legs.ts";

export const MAIN_ACCOUNT = "00000000-0000-0000-0000-000000000000";

/** So many numbers of New York. */
export const phones = (count: number, from = 0) =>
  Array.from({ length: count }, (_, nth) => `+1212${5_550_000 + from + nth}`);

export interface Imported {
  readonly added: number;
  readonly duplicates: number;
  readonly suppressed: number;
}

export function importing(sql: Sql, id: string, numbers: readonly string[]): Promise<Imported> {
  const contacts = numbers.map((phone) => ({
    phone,
    rules: "US",
    region: "NY",
    zones: ["America/New_York"],
  }));
  return sql<{ answer: Imported }[]>`
    select import_campaign_contacts(${id}, ${sql.json(contacts)}) as answer`
    .then(([row]) => row!.answer);
}

/** A campaign that runs, whose contacts may be called now. */
export async function running(sql: Sql, count: number, {
  rate = 100,
  account = 100,
  concurrent = 1000,
  from = 0,
  attempts = {} as AttemptsAsked,
} = {}): Promise<string> {
  const [campaign] = await sql<{ id: string }[]>`
    insert into campaigns (name, mode, flow, calls_per_second, max_concurrent, attempts, machine, consent)
    values ('Reminders', 'broadcast', 'main', ${rate}, ${concurrent}, ${
    sql.json(attemptsOf(attempts) as never)
  }, 'hang_up', 'express_written')
    returning id`;
  const { id } = campaign!;
  await sql`
    insert into campaign_lines (campaign_id, line, per_day)
    values (${id}, '+12125559999', 1000000), (${id}, '+14035559999', 1000000)`;
  for (let at = 0; at < count; at += 5000) {
    // deno-lint-ignore no-await-in-loop -- Slices, as the function takes them.
    await importing(sql, id, phones(Math.min(5000, count - at), from + at));
  }
  await open(sql, id);
  await sql`
    insert into dial_rates (owner, per_second, at_most) values (${MAIN_ACCOUNT}, ${account}, ${account})
    on conflict do nothing`;
  await sql`select command_campaign(${id}, 'start')`;
  return id;
}

/** Each area is open, for so long. */
export const open = (sql: Sql, id: string, hours = 1) =>
  sql`
    update campaign_areas set opens_at = now() - interval '1 hour', closes_at = now() + make_interval(hours => ${hours})
    where campaign_id = ${id}`;

/**
 * Lets a database's functions, and what columns have by default, take the time from a clock that can be put forward.
 *
 * @returns puts it forward, in milliseconds.
 */
export async function ownClock(sql: Sql): Promise<(ms: number) => Promise<void>> {
  await sql.unsafe(`
    create table public.test_clock (ahead interval not null);
    insert into public.test_clock values ('0');
    grant select on public.test_clock to public;
    create function public.test_now() returns timestamptz language sql stable security definer
      return pg_catalog.now() + (select ahead from public.test_clock);
    create function public.test_clock_timestamp() returns timestamptz language sql volatile security definer
      return pg_catalog.clock_timestamp() + (select ahead from public.test_clock);
    grant execute on function public.test_now, public.test_clock_timestamp to public;
    do $do$
    declare
      v_own text;
    begin
      for v_own in
        select regexp_replace(pg_get_functiondef(p.oid), '\\m(now|clock_timestamp)\\(\\)', 'public.test_\\1()', 'g')
        from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.proname not like 'test\\_%'
          and pg_get_functiondef(p.oid) ~ '\\m(now|clock_timestamp)\\(\\)'
      loop
        execute v_own;
      end loop;
      for v_own in
        select format('alter table %s alter %I set default %s', d.adrelid::regclass, a.attname,
          regexp_replace(pg_get_expr(d.adbin, d.adrelid), '\\m(now|clock_timestamp)\\(\\)', 'public.test_\\1()', 'g'))
        from pg_attrdef as d join pg_attribute as a on a.attrelid = d.adrelid and a.attnum = d.adnum
        join pg_class as c on c.oid = d.adrelid
        where c.relnamespace = 'public'::regnamespace and not c.relispartition and a.attgenerated = ''
          and pg_get_expr(d.adbin, d.adrelid) ~ '\\m(now|clock_timestamp)\\(\\)'
      loop
        execute v_own;
      end loop;
    end
    $do$`);
  return async (ms) => {
    await sql`update test_clock set ahead = ahead + ${`${ms} milliseconds`}::interval`;
  };
}

// ---- processes that die ------------------------------------------------------------------------

/** What goes wrong, each with its probability. */
export interface Faults {
  /** The process is killed before a step, or after it. */
  readonly killed: number;
  /** The database does what it is asked, and its answer is lost. */
  readonly answerLost: number;
}

/** One process of a function. Once it is dead, nothing that it waits for comes. */
export class Isolate {
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #died = Promise.withResolvers<"died">();
  #isDead = false;

  constructor(random: Random, faults: Faults) {
    this.#random = random;
    this.#faults = faults;
  }

  /** Something outside is asked. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    const dies = this.#random() < this.#faults.killed;
    if (dies && this.#random() < 0.5) this.#die();
    if (this.#isDead) return await new Promise<never>(() => {});
    try {
      return await work();
    } finally {
      if (dies) this.#die();
      // Neither a result nor an error reaches the dead.
      if (this.#isDead) await new Promise<never>(() => {});
    }
  }

  #die(): void {
    this.#isDead = true;
    this.#died.resolve("died");
  }

  /** Runs until it is over or dies. @returns whether it died. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    return await Promise.race([work(), this.#died.promise]) === "died";
  }

  /** The Data API, as this process asks it. */
  api(
    handle: (request: Request) => Promise<Response>,
    asked: (name: string, args: Record<string, unknown>) => void = () => {},
  ): DataApi {
    return new PostgrestClient("http://localhost/rest/v1", {
      headers: { apikey: LOCAL_SECRET_KEY },
      retry: false,
      fetch: (url, init) =>
        this.step(async () => {
          asked(String(url).split("/").at(-1)!, JSON.parse(String(init?.body ?? "{}")));
          const answer = await handle(new Request(url as string, init));
          if (this.#random() < this.#faults.answerLost) throw new TypeError("connection reset");
          return answer;
        }),
    }) as DataApi;
  }

  legs(twilio: TwilioLegs): TwilioLegs {
    return {
      ...twilio,
      make: (leg) => this.step(() => twilio.make(leg)),
      made: (...args) => this.step(() => twilio.made(...args)),
      find: (sid) => this.step(() => twilio.find(sid)),
      end: (...args) => this.step(() => twilio.end(...args)),
      redirect: (...args) => this.step(() => twilio.redirect(...args)),
    };
  }
}

// ---- Twilio ------------------------------------------------------------------------------------

/** A call as it really went, whatever of it was told. Times are milliseconds since 1970. */
export interface TrueLeg {
  readonly sid: string;
  readonly token: string;
  readonly to: string;
  readonly from: string;
  readonly madeAt: number;
  /** From then on Twilio's list shows it. */
  readonly listedAt: number;
  answeredAt: number | undefined;
  readonly isMachine: boolean;
  endAt: number;
  end: CallStatus;
}

/** A webhook under way. */
interface Told {
  readonly at: number;
  readonly leg: TrueLeg;
  readonly status: CallStatus;
  readonly told?: "machine" | "human";
}

/** What Twilio does wrong, each with its probability. Sources: docs/fidelity.md. */
export interface TwilioFaults {
  /** 429: nothing was made. */
  readonly busy: number;
  /** No answer: made, or not, or two seconds later. */
  readonly unanswered: number;
  /** A webhook never comes; comes twice; comes minutes later. */
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
}

/** Calls of one account: each goes its way by chance, and its webhooks may be lost. */
export class TrueTwilio implements TwilioLegs {
  readonly legs: TrueLeg[] = [];
  /** What must never be, as it is found. */
  readonly wrong: string[] = [];
  /** Called before a call is made. */
  onMake: (leg: TrueLeg) => void = () => {};
  readonly #bySid = new Map<string, TrueLeg>();
  readonly #byNumber = new Map<string, TrueLeg[]>();
  readonly #random: Random;
  readonly #faults: TwilioFaults;
  readonly #now: () => number;
  #told: Told[] = [];

  constructor(random: Random, faults: TwilioFaults, now: () => number) {
    this.#random = random;
    this.#faults = faults;
    this.#now = now;
  }

  // deno-lint-ignore require-await -- It throws as a request does.
  async make({ to, from, url }: NewLeg): Promise<string> {
    const chance = this.#random;
    if (chance() < this.#faults.busy) {
      throw new TwilioError("busy", "Twilio answered 429 with error 20429", 429, "20429");
    }
    // Numbers that are none.
    if (to.endsWith("77")) {
      throw new TwilioError("refused", "Twilio answered 400 with error 21211", 400, "21211");
    }
    if (chance() >= this.#faults.unanswered) return this.#create(to, from, url, 0).sid;
    const what = chance();
    if (what < 0.6) this.#create(to, from, url, what < 0.3 ? 0 : 2000);
    throw new TwilioError("unknown", "Twilio did not answer: TimeoutError");
  }

  #create(to: string, from: string, url: string, afterMs: number): TrueLeg {
    const chance = this.#random;
    const madeAt = this.#now() + afterMs;
    const ringMs = 2000 + chance() * 20_000;
    const what = chance();
    const end: CallStatus = what < 0.4
      ? "completed"
      : what < 0.7
      ? "no-answer"
      : what < 0.9
      ? "busy"
      : "failed";
    const answeredAt = end === "completed" ? madeAt + ringMs : undefined;
    const leg: TrueLeg = {
      sid: `CA${crypto.randomUUID().replaceAll("-", "")}`,
      token: new URL(url).searchParams.get("token")!,
      to,
      from,
      madeAt,
      listedAt: madeAt + (chance() < 0.1 ? chance() * 300_000 : 0),
      answeredAt,
      isMachine: answeredAt !== undefined && chance() < 0.4,
      // Talks go on for as long as ten minutes.
      endAt: madeAt + ringMs + (answeredAt === undefined ? 0 : 1000 + chance() ** 3 * 600_000),
      end,
    };
    this.onMake(leg);
    this.legs.push(leg);
    this.#bySid.set(leg.sid, leg);
    this.#byNumber.set(to, [...this.#byNumber.get(to) ?? [], leg]);
    this.#tell({ at: madeAt, leg, status: "initiated" });
    this.#tell({ at: madeAt + 500, leg, status: "ringing" });
    if (answeredAt !== undefined) {
      this.#tell({ at: answeredAt, leg, status: "in-progress" });
      const told = leg.isMachine ? "machine" : "human";
      this.#tell({ at: answeredAt + 3000, leg, status: "in-progress", told });
    }
    this.#tell({ at: leg.endAt, leg, status: end });
    return leg;
  }

  #tell(told: Told): void {
    const chance = this.#random;
    const { lost, doubled, late } = this.#faults;
    for (let copies = chance() < doubled ? 2 : 1; copies > 0; copies--) {
      if (chance() < lost) continue;
      this.#told.push({ ...told, at: told.at + (chance() < late ? chance() * 600_000 : 0) });
    }
  }

  /** The calls of a number, oldest first. */
  of(to: string): readonly TrueLeg[] {
    return this.#byNumber.get(to) ?? [];
  }

  /** Takes the webhooks that have come by now, in any order. */
  due(): Told[] {
    const now = this.#now();
    const due = this.#told.filter(({ at }) => at <= now);
    this.#told = this.#told.filter(({ at }) => at > now);
    // Of a call that was ended, what it would have told later is not told.
    return shuffled(
      due.filter(({ leg, at, status }) => at >= leg.endAt ? status === leg.end : true),
      this.#random,
    );
  }

  get isQuiet(): boolean {
    return this.#told.length === 0;
  }

  #statusOf({ madeAt, answeredAt, endAt, end }: TrueLeg): CallStatus {
    const now = this.#now();
    if (now >= endAt) return end;
    return answeredAt !== undefined && now >= answeredAt
      ? "in-progress"
      : now >= madeAt + 500
      ? "ringing"
      : "queued";
  }

  // deno-lint-ignore require-await
  async made(to: string, since: Date): Promise<Leg | undefined> {
    const from = since.getTime() - 2000;
    const found = this.of(to).findLast((leg) =>
      leg.listedAt <= this.#now() && leg.madeAt >= from && leg.madeAt <= this.#now()
    );
    return found && { sid: found.sid, status: this.#statusOf(found) };
  }

  // deno-lint-ignore require-await
  async find(sid: string): Promise<Leg | undefined> {
    const leg = this.#bySid.get(sid);
    return leg && { sid, status: this.#statusOf(leg) };
  }

  redirect(): Promise<void> {
    return Promise.reject(new Error("nothing is redirected here"));
  }

  async end(sid: string, sparing = false): Promise<Leg | undefined> {
    const leg = this.#bySid.get(sid);
    if (leg !== undefined && this.#now() < leg.endAt) {
      const talks = leg.answeredAt !== undefined && this.#now() >= leg.answeredAt;
      if (talks && sparing) return await this.find(sid);
      if (talks && !leg.isMachine) this.wrong.push(`a talk with ${leg.to} was cut off`);
      if (!talks) leg.answeredAt = undefined;
      leg.end = talks ? "completed" : "canceled";
      leg.endAt = this.#now();
      this.#tell({ at: leg.endAt, leg, status: leg.end });
    }
    return await this.find(sid);
  }

  waiting = () => Promise.resolve([]);
  deleteQueues = () => Promise.resolve(true);
  text = () => Promise.reject(new Error("Nobody is texted here"));
}
