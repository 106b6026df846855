import type { Params } from "../../scripts/phone/signer.ts";
import { sign } from "../../scripts/phone/signer.ts";
import { LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";
import { requestBytes } from "./http_client.ts";

/** One webhook of the recorded call, and the event that the database was asked to accept for it. */
export interface Step {
  readonly name: string;
  /** Its query, with the leading `?`. */
  readonly search: string;
  readonly params: Params;
  readonly event: string;
}

/** A whole call of somebody who presses 1 and is connected, webhook by webhook. */
export interface RecordedCall {
  readonly steps: readonly Step[];
  /** Requests to the database, for all of them. */
  readonly roundTrips: number;
  /** Webhooks that the caller waited for until somebody's telephone rang. */
  readonly heard: number;
  readonly callSid: string;
  readonly from: string;
  readonly to: string;
}

/** Rings the real hotline once, and keeps what went over the wire. */
export async function recordCall(): Promise<RecordedCall> {
  const bodies: string[] = [];
  const own = globalThis.fetch;
  // Before the functions load, as their client keeps the fetch that it finds.
  globalThis.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (url.includes("/rest/v1/")) bodies.push(String(init?.body));
    return await own(input, init);
  };
  try {
    // Only now: it takes the server that the environment names.
    const { startHotline } = await import("../support/hotline.ts");
    const hotline = await startHotline();
    try {
      const { record } = await hotline.ring({ keys: ["1"], dial: "answered", talkSeconds: 30 });
      const { webhooks, callSid } = record;
      const events = bodies.map((body) => (JSON.parse(body) as { p_event?: unknown }).p_event);
      const steps = webhooks.map(({ url, params }, i) => ({
        name: new URL(url).pathname.split("/").at(-1)!,
        search: new URL(url).search,
        params,
        event: JSON.stringify(events[i]),
      }));
      if (events.some((event) => event === undefined)) {
        throw new Error("Cannot replay a call that asks the database for anything but to accept");
      }
      const firstDial = webhooks.findIndex(({ twiml }) => twiml?.includes("<Dial"));
      const heard = webhooks.slice(0, firstDial + 1).filter(({ kind }) => kind === "twiml").length;
      return {
        steps,
        roundTrips: hotline.dataApiRequests.length,
        heard,
        callSid,
        from: String(Object.fromEntries(paramPairs(webhooks[0]!.params))["From"]),
        to: String(Object.fromEntries(paramPairs(webhooks[0]!.params))["To"]),
      };
    } finally {
      await hotline.stop();
    }
  } finally {
    globalThis.fetch = own;
  }
}

function paramPairs(params: Params): [string, string][] {
  return Object.entries(params) as [string, string][];
}

/** The sids of a call: its own, then those of its leg and its recording, as they came. */
export function sidsOf(call: RecordedCall): string[] {
  const text = call.steps.map(({ event }) => event).join();
  return [...new Set(text.match(/\b(?:CA|RE)[0-9a-f]{32}\b/g) ?? [])];
}

/** The `n`th copy of a sid: told apart by its beginning, so that leg and call stay two. */
export function copyOfSid(sid: string, at: number, n: number): string {
  return `${sid.slice(0, 2)}${at}${n.toString(16).padStart(31, "0")}`;
}

/** A caller that no other copy has, as each has a limit of its own. */
export function copyOfCaller(n: number): string {
  return `+1${String(n % 10_000_000_000).padStart(10, "0")}`;
}

/** The requests of the `n`th copy of a call, signed for `base`, to be sent below `prefix`. */
export function copyOfCall(
  call: RecordedCall,
  n: number,
  base: string,
  prefix: string,
): Uint8Array<ArrayBuffer>[] {
  const replacements = [
    ...sidsOf(call).map((sid, at) => [sid, copyOfSid(sid, at, n)] as const),
    [call.from, copyOfCaller(n)] as const,
  ];
  const copied = (text: string) =>
    replacements.reduce((result, [from, to]) => result.replaceAll(from, to), text);
  return call.steps.map(({ name, search, params }, i) => {
    const own = Object.fromEntries(
      paramPairs(params).map(([key, value]) => [key, copied(String(value))]),
    );
    return requestBytes(`${prefix}/${name}${search}`, {
      "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
      "user-agent": "TwilioProxy/1.1",
      "i-twilio-idempotency-token": `${crypto.randomUUID()}-${i}`,
      "x-twilio-signature": sign(LOCAL_AUTH_TOKEN, `${base}/${name}${search}`, own),
    }, new URLSearchParams(own).toString());
  });
}
