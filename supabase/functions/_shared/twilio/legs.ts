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
  /** The newest leg that rang `to` since then; a list of Twilio's may leave out what was made a moment ago. */
  made(to: string, since: Date): Promise<Leg | undefined>;
  /** `undefined`: Twilio knows no such call. */
  find(sid: string): Promise<Leg | undefined>;
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
    async make({ to, from, callToken, url, fallbackUrl, statusCallback, seconds, timeLimit }) {
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
      });
      return sid;
    },
    find: (sid) => ifThere(client.get(`${account}/Calls/${sid}`, call)),
    async made(to, since) {
      // Not by its start: a call that waits for its turn has none.
      const calls = await client.list(`${account}/Calls`, "calls", call, {
        To: to,
        PageSize: "20",
      });
      const earliest = since.getTime() - SKEW_MS;
      return calls
        .filter(({ direction, date_created }) =>
          direction === "outbound-api" && Date.parse(date_created ?? "") >= earliest
        )
        .sort((one, other) => Date.parse(other.date_created!) - Date.parse(one.date_created!))[0];
    },
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
