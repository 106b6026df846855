import type { Settings } from "../../supabase/functions/_shared/settings.ts";
import { type CallRecord, Simulator } from "../phone/mod.ts";

/** A deployed line does not do what it must; the message says what. */
export class SmokeError extends Error {
  override name = "SmokeError";
}

export interface SmokeOptions {
  /** Without a trailing slash. */
  readonly functionsUrl: string;
  readonly settings: Settings;
  readonly functions: readonly string[];
  /** How long a new version may take to serve. Default 60 s. */
  readonly patienceMs?: number;
  readonly wait?: (ms: number) => Promise<void>;
}

/** Twilio's own number for tests: nobody is behind it. */
export const SYNTHETIC_CALLER = "+15005550006";

const DEADLINE_MS = 15_000;
const LOOK_AGAIN_MS = 2000;

/**
 * Asks a line whether it serves: its health, that nobody gets in unsigned, and that a call comes through. The call
 * is synthetic: signed as by Twilio, so every step of it is real, but no telephone rings.
 *
 * @returns what was found, line by line.
 * @throws {SmokeError} for the first thing that is not as it must be.
 */
export async function smokeTest(options: SmokeOptions): Promise<string[]> {
  const { settings, functions } = options;
  await healthy(options);
  const unsigned = await Promise.all(functions.map((name) => refusesUnsigned(options, name)));
  const found = ["voice-health answers 200", `${unsigned.length} functions refuse strangers`];
  if (settings.twilioIpAllowlist.length > 0) {
    return [...found, "no synthetic call: TWILIO_IP_ALLOWLIST lets only Twilio's addresses in"];
  }
  const record = await syntheticCall(options);
  return [
    ...found,
    `a synthetic call (${record.callSid}) was greeted, refused recording, chose 1, was connected`,
  ];
}

async function healthy({ functionsUrl, patienceMs = 60_000, wait }: SmokeOptions): Promise<void> {
  const until = Date.now() + patienceMs;
  const pause = wait ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
  for (;;) {
    let said: string;
    try {
      // deno-lint-ignore no-await-in-loop -- Until it is well, or time is up.
      const response = await fetch(`${functionsUrl}/voice-health`, {
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      // deno-lint-ignore no-await-in-loop
      const text = await response.text();
      if (response.status === 200) return;
      said = `answered ${response.status}: ${text.slice(0, 500)}`;
    } catch (error) {
      said = `did not answer: ${(error as Error).message}`;
    }
    if (Date.now() >= until) throw new SmokeError(`voice-health ${said}`);
    // deno-lint-ignore no-await-in-loop
    await pause(LOOK_AGAIN_MS);
  }
}

/** A webhook gets 401; what others call may ask for another method or form, but has to be there and start. */
async function refusesUnsigned({ functionsUrl }: SmokeOptions, name: string): Promise<void> {
  if (name === "voice-health") return;
  const response = await fetch(`${functionsUrl}/${name}`, {
    method: "POST",
    body: new URLSearchParams({ CallSid: "CAtest", Digits: "0" }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).catch((error) => {
    throw new SmokeError(`${name} did not answer: ${error.message}`);
  });
  await response.body?.cancel();
  const webhook = name.startsWith("voice-");
  const expected = webhook
    ? response.status === 401
    : [400, 401, 403, 405, 415].includes(response.status);
  if (!expected) {
    throw new SmokeError(
      `${name} answered ${response.status} to a request that nobody signed${
        webhook ? ", and must answer 401" : ""
      }`,
    );
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
    to: settings.businessTarget,
    // Refuses to be recorded: no recording is then looked for at Twilio.
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
