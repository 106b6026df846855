import { delay } from "@std/async/delay.js";
import { dataApi, untilKnown } from "../../supabase/functions/_shared/db/client.ts";
import type { Settings } from "../../supabase/functions/_shared/settings.ts";
import { type CallRecord, Simulator } from "../phone/mod.ts";
import type { Target } from "./target.ts";

/** A deployed line fails the smoke test; the message says how. */
export class SmokeError extends Error {
  override name = "SmokeError";
}

/** A failure that may pass when the new version serves everywhere. */
class NotYetError extends SmokeError {}

export interface SmokeOptions {
  /** Without a trailing slash. */
  readonly functionsUrl: string;
  readonly settings: Settings;
  readonly functions: readonly string[];
  /** The release that each function must report; functions that are not named may report any. */
  readonly releases?: ReadonlyMap<string, string>;
  /** How long a new version may take to serve. Default 60 s. */
  readonly patienceMs?: number;
  readonly wait?: (ms: number) => Promise<void>;
}

// Twilio's test numbers, which ring no telephone.
const SYNTHETIC_CALLER = "+15005550006";
/** Not a destination of the settings, because a line never dials itself. */
const SYNTHETIC_LINE = "+15005550005";

const DEADLINE_MS = 15_000;
const LOOK_AGAIN_MS = 2000;

/**
 * Checks that a line serves: each function reports the deployed release, the line is healthy, unsigned requests are
 * refused, and a synthetic call is connected. The call is signed like Twilio's, so every step runs, but no telephone
 * rings.
 *
 * @returns the findings, line by line.
 * @throws {SmokeError} for the first failure.
 */
export async function smokeTest(options: SmokeOptions): Promise<string[]> {
  const { settings, functions, releases = new Map() } = options;
  const until = Date.now() + (options.patienceMs ?? 60_000);
  const serves = [
    eventually(() => healthy(options), until, options),
    ...functions.map((name) => eventually(() => refusesUnsigned(options, name), until, options)),
  ];
  // All of them finish, so that no request is open when the first fault is reported.
  for (const result of await Promise.allSettled(serves)) {
    if (result.status === "rejected") throw result.reason;
  }
  const found = [
    ...(releases.size > 0 ? [`${releases.size} functions are of this deploy`] : []),
    "voice-health answers 200",
    `${functions.length} functions refuse strangers`,
  ];
  if (settings.twilioIpAllowlist.length > 0) {
    return [...found, "no synthetic call: TWILIO_IP_ALLOWLIST lets only Twilio's addresses in"];
  }
  const record = await syntheticCall(options);
  return [
    ...found,
    `a synthetic call (${record.callSid}) was greeted, refused recording, chose 1, was connected`,
  ];
}

/** Repeats the check until it passes, fails for good, or runs out of time. */
async function eventually(
  look: () => Promise<void>,
  until: number,
  { wait = delay }: SmokeOptions,
): Promise<void> {
  for (;;) {
    try {
      // deno-lint-ignore no-await-in-loop -- One look after the other.
      return await look();
    } catch (error) {
      if (!(error instanceof NotYetError) || Date.now() >= until) throw error;
    }
    // deno-lint-ignore no-await-in-loop
    await wait(LOOK_AGAIN_MS);
  }
}

async function healthy(options: SmokeOptions): Promise<void> {
  const response = await ask(options, "voice-health", {
    headers: { apikey: options.settings.secretKey },
  });
  const text = await response.text();
  if (response.status !== 200) {
    throw new NotYetError(`voice-health answered ${response.status}: ${text.slice(0, 500)}`);
  }
}

/**
 * A webhook answers 401. Other functions may require another method or form, but they must exist, start, and report the
 * deployed release.
 */
async function refusesUnsigned(options: SmokeOptions, name: string): Promise<void> {
  // A socket's handshake is a GET.
  const response = await ask(
    options,
    name,
    name === "voice-agent" ? {} : {
      method: "POST",
      body: new URLSearchParams({ CallSid: "CAtest", Digits: "0" }),
    },
  );
  await response.body?.cancel();
  const webhook = name.startsWith("voice-") && name !== "voice-health";
  const expected = webhook
    ? response.status === 401
    : [400, 401, 403, 405, 415].includes(response.status);
  const release = options.releases?.get(name);
  const old = release !== undefined && response.headers.get("x-release") !== release;
  if (!expected) {
    throw new (old ? NotYetError : SmokeError)(
      `${name} answered ${response.status} to an unsigned request${
        webhook ? ", and must answer 401" : ""
      }`,
    );
  }
  if (old) throw new NotYetError(`${name} answers, but by another version than the one deployed`);
}

async function ask(
  { functionsUrl }: SmokeOptions,
  name: string,
  init: RequestInit,
): Promise<Response> {
  try {
    return await fetch(`${functionsUrl}/${name}`, {
      ...init,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch (error) {
    throw new NotYetError(`${name} did not answer: ${(error as Error).message}`);
  }
}

async function syntheticCall({ functionsUrl, settings }: SmokeOptions): Promise<CallRecord> {
  const twilio = new Simulator({
    voiceUrl: `${functionsUrl}/voice-frontdoor`,
    statusCallback: `${functionsUrl}/voice-status`,
    authToken: settings.twilioAuthToken,
    ...(settings.twilioAccountSid !== undefined && { accountSid: settings.twilioAccountSid }),
  });
  const record = await twilio.call({
    from: SYNTHETIC_CALLER,
    to: SYNTHETIC_LINE,
    // Refuses to be recorded, so that no recording is expected at Twilio.
    script: { say: ["no"], keys: ["1"], dial: { outcome: "answered", talkSeconds: 1 } },
  });
  await twilio.settle();

  const failed = record.webhooks.find(({ status }) => status < 200 || status > 299);
  if (failed !== undefined) {
    throw new SmokeError(
      `A synthetic call's request to ${new URL(failed.url).pathname} got ${
        failed.status || failed.failure
      }`,
    );
  }
  if (record.applicationError !== undefined) {
    const { code, message } = record.applicationError;
    throw new SmokeError(`A synthetic caller heard Twilio's error message: ${code} ${message}`);
  }
  if (!record.dialled.includes(settings.salesTarget)) {
    throw new SmokeError(
      `A synthetic caller pressed 1 and was not connected to sales; heard: ${
        record.spoken.join(" / ").slice(0, 300)
      }`,
    );
  }
  return record;
}

/**
 * Erases the synthetic calls, so that they do not count as a customer's. If the database fails, they stay, which does no
 * other harm.
 */
export async function forgetSyntheticCalls({ projectUrl, secretKey }: Target): Promise<void> {
  if (secretKey === undefined) return;
  const api = dataApi(projectUrl, secretKey);
  await untilKnown(
    async () => await api.rpc("forget_person", { p_number: SYNTHETIC_CALLER }),
    ({ error }) => error?.code,
  );
}
