import { delay } from "@std/async/delay.js";
import postgres, { type Sql } from "postgres";
import type { Recordings } from "./recordings.ts";

/** A snapshot of everything that the operator's page always shows. */
export type Snapshot = Readonly<Record<string, unknown>>;

export interface OperatorOptions {
  /** The database; queried as `service_role`, whatever role the address names. */
  readonly databaseUrl: string;
  /** Where `voice-health` answers. */
  readonly healthUrl: string;
  readonly recordings: Recordings;
}

/** How many rows of a list the page gets at most; how many there are is counted apart. */
const ROWS = 50;
const FEW_ROWS = 20;
/** The interval of looking for changes, in milliseconds. */
const LOOK = 250;
/** The oldest allowed age of figures that change with time alone (rates, health), in milliseconds. */
const STALE = 4_000;

/** Queries and actions of operators, and live updates. */
export class Operator {
  readonly #sql: Sql;
  readonly #options: OperatorOptions;
  readonly #watchers = new Set<(news: string) => void>();
  #looking = false;
  #closed = false;
  #news: string | undefined;
  #mark = "";
  #takenAt = -Infinity;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#sql = postgres(options.databaseUrl, {
      max: 2,
      connect_timeout: 2,
      backoff: () => 0.25,
      onnotice: () => {},
      // Times as JSON has them, numbers as numbers: they go to the page as they are.
      types: {
        numeric: { to: 1700, from: [20, 1700], serialize: String, parse: Number },
        date: { to: 1184, from: [1184], serialize: String, parse: isoTime },
      },
      connection: { application_name: "console", role: "service_role" } as Record<string, string>,
    });
  }

  /** Sends `watcher` the snapshot as JSON, then each changed one. Returns a function that stops. */
  watch(watcher: (news: string) => void): () => void {
    this.#watchers.add(watcher);
    if (this.#news !== undefined) watcher(this.#news);
    if (!this.#looking) this.#look();
    return () => void this.#watchers.delete(watcher);
  }

  /** Calls whose numbers contain the digits of `search`, or whose sid begins with it, and how many there are. */
  async search(search: string): Promise<{ calls: readonly unknown[]; total: number }> {
    const sql = this.#sql;
    const digits = search.replace(/\D/g, "");
    const like = `%${digits}%`;
    const matches = /^CA[0-9a-f]+$/i.test(search)
      ? sql`call_sid ilike ${`${search}%`}`
      : digits === ""
      ? sql`${search.trim() === ""}`
      : sql`from_e164 like ${like} or to_e164 like ${like}`;
    const [calls, [counted]] = await Promise.all([
      sql`select ${this.#callColumns()} from call_logs where ${matches}
        order by started_at desc limit ${ROWS}`,
      sql`select count(*)::integer as total from call_logs where ${matches}`,
    ]);
    return { calls, total: counted!["total"] };
  }

  /** One call and its events in the order in which they were accepted. */
  async call(callSid: string): Promise<{ call: unknown; events: unknown } | undefined> {
    const sql = this.#sql;
    const [call] = await sql`
      select ${this.#callColumns()} from call_logs where call_sid = ${callSid}`;
    if (call === undefined) return undefined;
    const events = await sql`
      select id, leg_sid, parent_call_sid, event, status, sequence_number, occurred_at, received_at,
        meta
      from call_lifecycle where call_sid = ${callSid} order by occurred_at, id`;
    return { call: (await this.#playable([call]))[0], events };
  }

  /** The lines that follow a flow, and the version that answers them; none while the database is away. */
  async lines(): Promise<{ number: string; flow?: string; version?: number }[]> {
    return await this.#sql<{ number: string; flow: string; version: number }[]>`
      select l.line as number, f.name as flow, p.version
      from lines as l join call_flows as f on f.id = l.flow_id
      join call_flow_pointers as p on p.flow_id = f.id
      order by l.org_id nulls first, l.line limit ${ROWS}`.catch(() => []);
  }

  /** The telephones that lines ring: those of people, then numbers that flows name, by their groups. */
  async telephones(): Promise<{ number: string; name: string }[]> {
    return await this.#sql<{ number: string; name: string }[]>`
      select distinct on (number) number, name from (
        select 0 as turn, phone as number, name from people
        union all
        select 1, m.number, g.key
        from call_flow_pointers as p
        join call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
        cross join lateral jsonb_each(coalesce(v.definition -> 'groups', '{}')) as g
        cross join lateral jsonb_array_elements_text(g.value -> 'members') as m(number)
        where m.number like '+%'
      ) as t order by number, turn limit ${FEW_ROWS}`.catch(() => []);
  }

  /** Marks a voicemail as handled, or takes the mark back. False: there is no such voicemail. */
  async handle(recordingSid: string, handled: boolean): Promise<boolean> {
    const { count } = await this.#sql`
      update recordings set handled_at = ${handled ? this.#sql`now()` : null}
      where recording_sid = ${recordingSid} and source = 'voicemail'`;
    this.#takenAt = -Infinity;
    return count === 1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watchers.clear();
    await this.#sql.end({ timeout: 1 });
  }

  #callColumns() {
    return this.#sql`
      call_sid, from_e164, to_e164, mode, status, consent_given, started_at, answered_at,
      connected_at, ended_at, duration_sec, disposition, recording_sid, recording_source,
      transcript, (select f.name || ', version ' || v.version
        from call_flow_versions as v join call_flows as f on f.id = v.flow_id
        where v.id = call_logs.flow_version) as flow,
      (select handled_at from recordings as r
        where (r.call_sid, r.recording_sid) = (call_logs.call_sid, call_logs.recording_sid))`;
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#watchers.size > 0 && !this.#closed) {
      // deno-lint-ignore no-await-in-loop -- one look after the other
      const news = await this.#latest().catch(() => {
        this.#takenAt = -Infinity;
        return this.#closed ? undefined : JSON.stringify({ unavailable: true });
      });
      if (news !== undefined && news !== this.#news) {
        this.#news = news;
        for (const watcher of this.#watchers) watcher(news);
      }
      // deno-lint-ignore no-await-in-loop
      await delay(LOOK);
    }
    this.#looking = false;
    // The next watcher gets a snapshot at once, even without changes.
    this.#news = undefined;
    this.#takenAt = -Infinity;
  }

  /** The snapshot, taken anew only after something happened or when it is stale. */
  async #latest(): Promise<string | undefined> {
    const [row] = await this.#sql`
      select concat_ws(' ', (select max(received_at) from call_lifecycle),
        (select max(id) from analytics_events),
        (select sum(refusals) from rate_limit_refusals where minute > now() - interval '2 minutes'))
        as mark`;
    const isStale = performance.now() - this.#takenAt > STALE;
    if (row?.["mark"] === this.#mark && !isStale) return undefined;
    this.#mark = row?.["mark"];
    this.#takenAt = performance.now();
    return JSON.stringify(await this.#snapshot());
  }

  /** Contains nothing that changes every second, so an idle line causes no updates. */
  async #snapshot(): Promise<Snapshot> {
    const sql = this.#sql;
    const present = await this.#present("alert_status", "call_funnel", "jobs_waiting");
    const [
      counts,
      active,
      [hour],
      [day],
      [consent],
      hours,
      voicemails,
      calls,
      errors,
      limits,
      health,
    ] = await Promise.all([
      this.#counts(),
      sql`select call_sid, from_e164, to_e164, mode, status, consent_given, started_at
          from active_calls order by started_at desc limit ${ROWS}`,
      sql`select * from call_success_metrics`,
      sql`select * from call_success_metrics_24h`,
      sql`select * from consent_metrics`,
      sql`select hour, total_calls, completed_calls, failed_calls from call_volume_hourly
          where hour > now() - interval '24 hours' order by hour`,
      sql`select call_sid, recording_sid, from_e164, transcript, created_at
          from voicemail_backlog order by created_at desc limit ${ROWS}`,
      sql`select ${this.#callColumns()} from call_logs order by started_at desc limit ${ROWS}`,
      sql`select event_type, event_data, severity, created_at from recent_errors limit ${FEW_ROWS}`,
      sql`select identifier, identifier_type, endpoint, violation_count, last_violation
          from rate_limit_violations limit ${FEW_ROWS}`,
      this.#health(),
    ]);
    // Null: this database does not have it.
    const alerts = present.has("alert_status")
      ? await sql`select alert, severity, summary, measured, action
          from alert_status where firing order by severity, alert`
      : null;
    return {
      counts,
      active,
      hour,
      day,
      consent,
      hours,
      voicemails: await this.#playable(voicemails),
      calls,
      errors,
      limits,
      // voice-health has the alerts as they were when last evaluated: these are newer.
      health: { ...health, ...(alerts?.[0] && { alerts: alerts[0]["severity"] }) },
      numbers: await sql`select e164_number, business_name, calls_last_24h
        from number_provisioning_status order by provisioned_at desc limit ${FEW_ROWS}`,
      alerts,
      funnel: present.has("call_funnel")
        ? await sql`select stage, calls, pct_of_arrived from call_funnel order by position`
        : null,
      jobs: present.has("jobs_waiting")
        ? await sql`select kind, state, jobs::integer from jobs_waiting
            cross join lateral (values ('waiting', waiting), ('running', running), ('dead', dead)) as s(state, jobs)
            where jobs > 0`
        : null,
    };
  }

  /** How many rows each list has, by its name. */
  async #counts(): Promise<Record<string, number>> {
    const [row] = await this.#sql`
      select
        (select count(*) from active_calls)::integer as active,
        (select count(*) from voicemail_backlog)::integer as voicemails,
        (select count(*) from recent_errors)::integer as errors,
        (select count(*) from rate_limit_violations)::integer as limits,
        (select count(*) from number_provisioning_status)::integer as numbers`;
    return { ...row };
  }

  /** Which of the views this database has: a stopped upgrade must not take the page down. */
  async #present(...views: string[]): Promise<Set<string>> {
    const rows = await this.#sql<{ relname: string }[]>`
      select relname from pg_class
      where relnamespace = 'public'::regnamespace and relname = any(${views})`;
    return new Set(rows.map(({ relname }) => relname));
  }

  /** Adds where the page can play each recording; null when its audio is not on this machine. */
  async #playable(rows: readonly Record<string, unknown>[]) {
    const here = await this.#options.recordings.sids();
    return rows.map((row) => {
      const sid = row["recording_sid"];
      return {
        ...row,
        audio: typeof sid === "string" && here.has(sid) ? `/recordings/${sid}` : null,
      };
    });
  }

  /** The health checks by name, without their latencies: those would be news each time. */
  async #health(): Promise<Record<string, string>> {
    try {
      const response = await fetch(this.#options.healthUrl, { signal: AbortSignal.timeout(3000) });
      const { checks } = await response.json();
      return Object.fromEntries(
        Object.entries<{ status: string }>(checks).map(([name, { status }]) => [name, status]),
      );
    } catch {
      return { "voice-health": "unreachable" };
    }
  }
}

/** PostgreSQL's `2026-01-02 03:04:05.678+00` as JavaScript reads it everywhere. */
function isoTime(text: string): string {
  return new Date(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")).toISOString();
}
