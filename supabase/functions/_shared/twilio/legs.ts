import * as z from "zod/mini";
import type { CallStatus } from "../calls/webhook_form.ts";
import { ifThere, type TwilioClient } from "./client.ts";
import { call } from "./rest.ts";

/** A telephone that Twilio is to ring. */
export interface NewLeg {
  readonly to: string;
  /** The number that the telephone shows: one of the account's. */
  readonly from: string;
  /** Twilio's leave to show the number of a caller: the `CallToken` of the call. */
  readonly callToken?: string | undefined;
  /** The document for the person who answers. */
  readonly url: string;
  /** In its place when Twilio cannot play it. */
  readonly fallbackUrl: string;
  readonly statusCallback: string;
  /** How long it rings. */
  readonly seconds: number;
  /** Seconds after which the leg ends, in a talk too. */
  readonly timeLimit: number;
  /** Whether a person or a machine has answered, told to `callback` while the call goes on. Absent: Twilio does not look. */
  readonly detection?: {
    /** Of a machine once its greeting has ended, so that a message is heard whole; default: as soon as it is recognised. */
    readonly untilBeep: boolean;
    readonly callback: string;
  };
}

/** A leg as Twilio has it. */
export interface Leg {
  readonly sid: string;
  readonly status: CallStatus;
}

const queue = z.object({
  sid: z.string(),
  friendly_name: z.nullish(z.string()),
  current_size: z.nullish(z.number()),
});
const member = z.object({ call_sid: z.string() });
const made = z.object({ sid: z.string() });

/** Legs, queues and texts of one account. Each request rejects with `TwilioError` only. */
export interface TwilioLegs {
  /** Rings a telephone, once for each request: an error of the kind `unknown` may have made the leg. @returns its SID. */
  make(leg: NewLeg): Promise<string>;
  /**
   * The newest leg from `from` to `to` since then, one that waits for its turn included; a list of Twilio's may leave out what was
   * made a moment ago.
   *
   * @param from Absent: any number, as a leg may show a caller's.
   */
  made(to: string, since: Date, from?: string): Promise<Leg | undefined>;
  /** `undefined`: Twilio knows no such call. */
  find(sid: string): Promise<Leg | undefined>;
  /** Lets a leg that was answered go on with another document. */
  redirect(sid: string, url: string): Promise<void>;
  /**
   * Ends a leg, ringing or talking.
   *
   * @param sparing Default false; true: an answered leg goes on.
   * @returns how it stands; `undefined`: Twilio knows no such leg.
   */
  end(sid: string, sparing?: boolean): Promise<Leg | undefined>;
  /** The calls in a queue, in their order. A queue that nobody has entered yet has none. */
  waiting(queueName: string): Promise<string[]>;
  /**
   * Deletes queues of single calls that nobody is in: Twilio keeps each of them, and the list of all has an end.
   *
   * @param most So many of them.
   * @returns Whether all are deleted.
   */
  deleteQueues(most: number): Promise<boolean>;
  /** Sends a text message. Once for each request, as `make`. @returns its SID. */
  text(message: { readonly to: string; readonly from: string; readonly body: string }): Promise<
    string
  >;
}

/** Twilio's times have whole seconds, and its clock is not the database's. Milliseconds. */
const SKEW_MS = 2000;

/**
 * Source: https://www.twilio.com/docs/voice/api/call-resource, .../queue-resource, .../member-resource,
 * https://www.twilio.com/docs/messaging/api/message-resource
 *
 * @param accountSid The account that the line belongs to: the client's, or one below it.
 */
export function twilioLegs(client: TwilioClient, accountSid: string): TwilioLegs {
  const account = `/Accounts/${accountSid}`;
  const listQueues = () => client.list(`${account}/Queues`, "queues", queue, { PageSize: "1000" });
  return {
    async make(
      { to, from, callToken, url, fallbackUrl, statusCallback, seconds, timeLimit, detection },
    ) {
      const { sid } = await client.create(`${account}/Calls`, made, {
        To: to,
        From: from,
        ...(callToken !== undefined && { CallToken: callToken }),
        Url: url,
        FallbackUrl: fallbackUrl,
        StatusCallback: statusCallback,
        StatusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
        Timeout: String(seconds),
        TimeLimit: String(timeLimit),
        // https://www.twilio.com/docs/voice/answering-machine-detection
        ...(detection && {
          MachineDetection: detection.untilBeep ? "DetectMessageEnd" : "Enable",
          AsyncAmd: "true",
          AsyncAmdStatusCallback: detection.callback,
          AsyncAmdStatusCallbackMethod: "POST",
        }),
      });
      return sid;
    },
    find: (sid) => ifThere(client.get(`${account}/Calls/${sid}`, call)),
    async made(to, since, from) {
      // Not by its start: a call that waits for its turn has none, and lists by time may leave it out.
      const ends = { To: to, ...(from !== undefined && { From: from }), PageSize: "20" };
      const lists = await Promise.all(
        (from === undefined ? [ends] : [ends, { ...ends, Status: "queued" }]).map((query) =>
          client.list(`${account}/Calls`, "calls", call, query)
        ),
      );
      const calls = lists.flat();
      const earliest = since.getTime() - SKEW_MS;
      // One that waits for its turn may have no time at all yet: what is not known to be older counts.
      const madeAt = ({ date_created }: typeof calls[number]) =>
        date_created ? Date.parse(date_created) : Number.MAX_SAFE_INTEGER;
      return calls
        .filter((each) => each.direction === "outbound-api" && madeAt(each) >= earliest)
        .sort((one, other) => madeAt(other) - madeAt(one))[0];
    },
    redirect: (sid, url) => client.set(`${account}/Calls/${sid}`, { Url: url, Method: "POST" }),
    async end(sid, sparing = false) {
      const path = `${account}/Calls/${sid}`;
      const ends = (status: string) =>
        ifThere(client.set(path, { Status: status })).then(() => true, (error) => {
          if (error.code !== NOT_IN_PROGRESS) throw error;
          return false;
        });
      // `canceled` would leave an answered leg, and `completed` one that still waits for its turn to ring.
      if (sparing || !await ends("completed")) await ends("canceled");
      return await ifThere(client.get(path, call));
    },
    async waiting(queueName) {
      const queues = await listQueues();
      const found = queues.find(({ friendly_name }) => friendly_name === queueName);
      if (found === undefined) return [];
      const members = await ifThere(
        client.list(`${account}/Queues/${found.sid}/Members`, "queue_members", member, {
          PageSize: "1000",
        }),
      );
      return (members ?? []).map(({ call_sid }) => call_sid);
    },
    async deleteQueues(most) {
      const done = (await listQueues()).filter(({ friendly_name, current_size }) =>
        current_size === 0 && /^CA[0-9a-f]{32}$/i.test(friendly_name ?? "")
      );
      for (const { sid } of done.slice(0, most)) {
        // deno-lint-ignore no-await-in-loop -- Gently: nobody waits for it.
        await client.delete(`${account}/Queues/${sid}`).catch((error) => {
          // Somebody is in it by now.
          if (error.status !== 400) throw error;
        });
      }
      return done.length <= most;
    },
    text: async ({ to, from, body }) =>
      (await client.create(`${account}/Messages`, made, { To: to, From: from, Body: body })).sid,
  };
}

/** Source: https://www.twilio.com/docs/api/errors/21220 */
const NOT_IN_PROGRESS = "21220";
