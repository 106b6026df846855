import { delay } from "@std/async/delay.js";
import { LOCAL_ACCOUNT_SID } from "../defaults.ts";
import {
  type CallRecord,
  type PlacedCall,
  realClock,
  Simulator,
  type Webhook,
} from "../phone/mod.ts";
import { seededRandom } from "../phone/random.ts";
import { anyBranch, type Branch } from "./branches.ts";

export interface LoadOptions {
  /** The base of the functions, without a trailing slash. */
  readonly functionsUrl: string;
  readonly authToken: string;
  /** The project's secret key, for asking about the calls afterwards. */
  readonly secretKey: string;
  readonly calls: number;
  /** Seconds over which they begin. */
  readonly rampSec: number;
  /** How many times faster than life pauses, ringing and talking pass. */
  readonly speed: number;
  readonly seed: number;
  /** The longest call in seconds of real time. Default: ten minutes of the calls' own time, and one more. */
  readonly patienceSec?: number;
  /** Called after each start and end of a call, and after each webhook. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly calls: number;
  readonly begun: number;
  readonly over: number;
  readonly webhooks: number;
}

export interface LoadReport {
  readonly calls: number;
  /** Callers who were served as their branch expects, with a row that agrees. */
  readonly successes: number;
  /** Calls that went on at the same time, at most. */
  readonly peak: number;
  readonly webhooks: number;
  readonly webhooksPerSec: number;
  /** Milliseconds of one webhook, retries on their own. */
  readonly webhookMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  readonly seconds: number;
  /** Failures with their number of calls, most frequent first. */
  readonly errors: readonly (readonly [reason: string, calls: number])[];
  /** Calls without a known end: not over in time, without a row, or with an open one. */
  readonly open: number;
  /** How late this program's own timers were: the 99th percentile, in milliseconds. */
  readonly lagMs: number;
  /** The machine's load average over the last minute, per core; 0 where the platform has none. */
  readonly loadPerCore: number;
}

/** The Data API could not be asked about the calls. */
export class UnansweredError extends Error {
  override name = "UnansweredError";
}

/** The share of served calls below which the run fails. */
export const LEAST_SUCCESS = 0.99;

/** With timers later than this the machine is the bottleneck, and the figures say nothing about the line. Milliseconds. */
const MOST_LAG_MS = 250;

/** Above this load per core a local line is short of processors, although the callers' own timers are in time. */
const MOST_LOAD_PER_CORE = 2;

export function isOverloaded(report: LoadReport): boolean {
  return report.lagMs > MOST_LAG_MS ||
    (!holds(report) && report.loadPerCore > MOST_LOAD_PER_CORE);
}

export function holds(report: LoadReport): boolean {
  return report.open === 0 && report.successes >= LEAST_SUCCESS * report.calls;
}

/** Places the calls, waits for the last callback, and looks their rows up. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { functionsUrl, calls, rampSec, onProgress } = options;
  const random = seededRandom(options.seed);
  const simulator = new Simulator({
    voiceUrl: `${functionsUrl}/voice-frontdoor`,
    statusCallback: `${functionsUrl}/voice-status#rc=4&rp=5xx,ct,rt`,
    fallbackUrl: `${functionsUrl}/voice-voicemail`,
    authToken: options.authToken,
    accountSid: LOCAL_ACCOUNT_SID,
    seed: options.seed,
    timestamps: true,
    // As from Twilio: callbacks are concurrent, a little late, and sometimes repeated.
    delivery: { concurrent: true, late: { fromMs: 0, toMs: 1500 }, duplicate: 0.02 },
  });
  // Another block of numbers each time, so that two runs in one minute do not meet the limit per caller.
  const firstCaller = Math.floor(random() * 9_000_000);
  const patienceSec = options.patienceSec ?? 600 / options.speed + 60;
  const lag = measureLag();
  const progress = { calls, begun: 0, over: 0, webhooks: 0 };
  let peak = 0;
  const started = performance.now();

  const ring = async (nth: number): Promise<Call> => {
    const branch = anyBranch(random);
    await delay((nth / calls) * rampSec * 1000);
    progress.begun++;
    peak = Math.max(peak, progress.begun - progress.over);
    onProgress?.(progress);
    let record: CallRecord | undefined;
    let failure: string | undefined;
    try {
      const placed = simulator.place({
        from: `+1204${String((firstCaller + nth) % 10_000_000).padStart(7, "0")}`,
        script: branch.script,
        // Each call has its own clock: compressed time is ahead of real time by the length of a call at most.
        clock: realClock(options.speed),
        onWebhook: () => {
          progress.webhooks++;
          onProgress?.(progress);
        },
      });
      record = await inTime(placed, patienceSec);
      if (record === undefined) failure = `the call was not over after ${patienceSec} s`;
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    progress.over++;
    onProgress?.(progress);
    return { branch, record, failure };
  };
  const placed = await Promise.all(Array.from({ length: calls }, (_, nth) => ring(nth)));
  // The last callbacks of a call that was hung up may come late.
  const limit = new AbortController();
  await Promise.race([simulator.settle(), sleep(patienceSec, limit.signal)]);
  limit.abort();
  const seconds = (performance.now() - started) / 1000;

  const sids = placed.flatMap(({ record }) => record ? [record.callSid] : []);
  const dispositions = await dispositionsOf(options, sids);
  const errors = new Map<string, number>();
  let successes = 0;
  for (const call of placed) {
    const wrong = whatWentWrong(call, dispositions);
    if (wrong === undefined) successes++;
    else errors.set(wrong, (errors.get(wrong) ?? 0) + 1);
  }
  const webhooks = placed.flatMap(({ record }) => record?.webhooks ?? []);
  return {
    calls,
    successes,
    peak,
    webhooks: webhooks.length,
    webhooksPerSec: webhooks.length / seconds,
    webhookMs: percentiles(webhooks.map(({ ms }) => ms)),
    seconds,
    errors: [...errors].sort(([, one], [, other]) => other - one),
    open: placed.filter(({ record }) => !record || !dispositions.get(record.callSid)).length,
    lagMs: lag(),
    loadPerCore: Number((Deno.loadavg()[0]! / navigator.hardwareConcurrency).toFixed(1)),
  };
}

/** The call when it is over; after the patience it is hung up, and the result is undefined. */
async function inTime(placed: PlacedCall, seconds: number): Promise<CallRecord | undefined> {
  const limit = new AbortController();
  const late = sleep(seconds, limit.signal).then(() => undefined);
  const record = await Promise.race([placed.done, late]);
  limit.abort();
  if (record !== undefined) return record;
  placed.hangUp();
  placed.done.catch(() => {});
  return undefined;
}

/** Resolves after so many seconds, or once `signal` is aborted. */
async function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  await delay(seconds * 1000, { signal }).catch(() => {});
}

/** @returns a function that ends the measurement and returns how late the timers were. */
function measureLag(): () => number {
  const every = 50;
  const late: number[] = [];
  let due = performance.now() + every;
  const timer = setInterval(() => {
    late.push(Math.max(0, performance.now() - due));
    due = performance.now() + every;
  }, every);
  return () => {
    clearInterval(timer);
    return Math.round(percentiles(late).p99);
  };
}

interface Call {
  readonly branch: Branch;
  readonly record: CallRecord | undefined;
  /** Why the call could not be followed to its end. */
  readonly failure: string | undefined;
}

function whatWentWrong(
  { branch, record, failure }: Call,
  dispositions: ReadonlyMap<string, string | null>,
): string | undefined {
  if (record === undefined) return failure ?? "the call could not be followed";
  const { applicationError } = record;
  if (applicationError !== undefined) {
    const steps = record.webhooks.filter(({ kind }) => kind === "twiml");
    return `the caller heard Twilio's error ${applicationError.code}: ${last(steps)}`;
  }
  const lost = undelivered(record.webhooks);
  if (lost !== undefined) return `never delivered: ${last([lost])}`;
  const disposition = dispositions.get(record.callSid);
  if (disposition === undefined) return "the call has no row";
  if (disposition === null) return "the call is still open";
  return disposition === branch.disposition
    ? undefined
    : `"${branch.name}" ended as ${disposition} rather than ${branch.disposition}`;
}

/** A webhook of which no attempt got through. */
function undelivered(webhooks: readonly Webhook[]): Webhook | undefined {
  const last = new Map<string, Webhook>();
  for (const webhook of webhooks) {
    if (!isDelivered(last.get(webhook.idempotencyToken))) {
      last.set(webhook.idempotencyToken, webhook);
    }
  }
  return [...last.values()].find((webhook) => !isDelivered(webhook));
}

function isDelivered(webhook: Webhook | undefined): boolean {
  return webhook !== undefined && webhook.status >= 200 && webhook.status < 300;
}

/** The last of these that did not get through, in short. */
function last(webhooks: readonly Webhook[]): string {
  const webhook = webhooks.findLast((webhook) => !isDelivered(webhook)) ?? webhooks.at(-1);
  if (webhook === undefined) return "nothing was asked";
  const name = new URL(webhook.url).pathname.split("/").at(-1);
  return `${name} ${webhook.status === 0 ? webhook.failure : `answered ${webhook.status}`}`;
}

/** Each call's disposition from the Data API: `null` while it lasts, absent without a row. */
async function dispositionsOf(
  { functionsUrl, secretKey }: LoadOptions,
  sids: readonly string[],
): Promise<Map<string, string | null>> {
  const found = new Map<string, string | null>();
  // In portions, because a URL has a maximum length.
  for (let from = 0; from < sids.length; from += 100) {
    const url = new URL("/rest/v1/call_logs", functionsUrl);
    url.searchParams.set("select", "call_sid,disposition");
    url.searchParams.set("call_sid", `in.(${sids.slice(from, from + 100).join(",")})`);
    // deno-lint-ignore no-await-in-loop -- One portion after the other.
    const response = await fetch(url, { headers: { apikey: secretKey } }).catch(() => undefined);
    if (response?.status !== 200) {
      // deno-lint-ignore no-await-in-loop
      await response?.body?.cancel();
      throw new UnansweredError(
        `Cannot look the calls up at ${url.origin}${url.pathname}: ${
          response === undefined ? "nothing answers" : `it answered ${response.status}`
        }; is SUPABASE_SECRET_KEYS the project's?`,
      );
    }
    // deno-lint-ignore no-await-in-loop
    for (const row of await response.json()) found.set(row.call_sid, row.disposition);
  }
  return found;
}

function percentiles(values: readonly number[]): LoadReport["webhookMs"] {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
