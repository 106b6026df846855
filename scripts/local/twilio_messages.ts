// Text messages of Twilio's REST API. Source: https://www.twilio.com/docs/messaging/api/message-resource

import type { Simulator } from "../phone/mod.ts";
import { newSid } from "../phone/signer.ts";
import { failure, notFound, page } from "./twilio_answer.ts";

/** A text from one number to another. */
export interface Text {
  readonly from: string;
  readonly to: string;
  readonly body: string;
}

/** Source: https://www.twilio.com/docs/api/errors/21617 */
const MAX_BODY = 1600;

/**
 * A message of one of these words alone, in any case, stops texts from the number that it went to, or lets them pass again.
 * Source: https://help.twilio.com/articles/223134027 (opt-out keywords), https://www.twilio.com/docs/api/errors/21610
 */
const STOP = new Set(
  ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"],
);
const START = new Set(["START", "YES", "UNSTOP"]);

/** The messages of one account. */
export class AccountMessages {
  readonly #simulator: Simulator;
  readonly #accountSid: string;
  readonly #sent: ReturnType<AccountMessages["message"]>[] = [];
  /** `our number|theirs` of those who stopped us. */
  readonly #stopped = new Set<string>();

  constructor(accountSid: string, simulator: Simulator) {
    this.#accountSid = accountSid;
    this.#simulator = simulator;
  }

  answer(
    { method, path, form }: { method: string; path: string; form: URLSearchParams },
  ): Response {
    const [, , , , sid] = path.split("/");
    if (sid !== undefined) {
      const found = this.#sent.find((each) => each.sid === sid);
      return found && method === "GET" ? Response.json(found) : notFound(path);
    }
    if (method === "GET") {
      const is = (name: string, value: string) => !form.has(name) || form.get(name) === value;
      const found = this.#sent.filter(({ to, from }) => is("To", to) && is("From", from));
      return page(path, "messages", found.toReversed());
    }
    return this.#create(form);
  }

  #create(form: URLSearchParams): Response {
    const [to, from, body] = ["To", "From", "Body"].map((name) => form.get(name) ?? "") as [
      string,
      string,
      string,
    ];
    if (to === "") return failure(400, 21604, "A 'To' phone number is required.");
    if (!/^\+[1-9]\d{6,14}$/.test(to)) {
      return failure(400, 21211, `Invalid 'To' Phone Number: ${to}`);
    }
    if (from === "") return failure(400, 21603, "A 'From' phone number is required.");
    if (body === "") return failure(400, 21602, "Message body is required.");
    if (body.length > MAX_BODY) {
      return failure(400, 21617, `The message body exceeds the ${MAX_BODY} character limit.`);
    }
    if (this.#stopped.has(`${from}|${to}`)) {
      return failure(400, 21610, "Attempt to send to unsubscribed recipient");
    }
    const message = this.message({ from, to, body });
    this.#sent.push(message);
    const callback = form.get("StatusCallback");
    if (callback !== null) void this.#deliver(message, callback);
    else message.status = "delivered";
    return Response.json({ ...message, status: "queued" }, { status: 201 });
  }

  async #deliver(message: ReturnType<AccountMessages["message"]>, callback: string): Promise<void> {
    for (const status of ["sent", "delivered"]) {
      message.status = status;
      // deno-lint-ignore no-await-in-loop -- one after the other
      await this.#simulator.deliver(callback, {
        AccountSid: this.#accountSid,
        ApiVersion: "2010-04-01",
        From: message.from,
        To: message.to,
        MessageSid: message.sid,
        MessageStatus: status,
        SmsSid: message.sid,
        SmsStatus: status,
      });
    }
  }

  /** A person's text; only a lone word counts. @returns what Twilio answers by itself. */
  receive({ from, to, body }: Text): string | undefined {
    const word = body.trim().toUpperCase();
    const pair = `${to}|${from}`;
    if (STOP.has(word)) {
      this.#stopped.add(pair);
      return "You have successfully been unsubscribed. Reply START to resubscribe.";
    }
    if (!START.has(word) || !this.#stopped.delete(pair)) return undefined;
    return "You have successfully been re-subscribed. Reply STOP to unsubscribe.";
  }

  message({ from, to, body }: Text) {
    return {
      sid: newSid("SM"),
      account_sid: this.#accountSid,
      from,
      to,
      body,
      status: "queued",
      direction: "outbound-api",
      date_created: this.#simulator.clock.now().toUTCString(),
      error_code: null,
      num_segments: String(Math.ceil(body.length / 153)),
    };
  }
}
