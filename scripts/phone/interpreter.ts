import type { Call, DocumentRequest } from "./call.ts";
import { dial } from "./dial.ts";
import { gather } from "./gather.ts";
import { play } from "./prompt.ts";
import { record } from "./record_verb.ts";
import { parseTwiml, resolveUrl, TwimlError, type Verb } from "./twiml.ts";

/** What Twilio says when an app fails. */
export const APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye.";

/** From the first webhook until Twilio picks up; a caller may give up before. */
const SETUP_MS = 100;

interface Document {
  readonly url: string;
  readonly verbs: readonly Verb[];
}

/** Carries out the TwiML that a call's webhooks are answered, document by document. */
export class Interpreter {
  readonly #call: Call;
  #steps = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  /** From the first webhook until the app ends the call. */
  async run(): Promise<void> {
    let document = await this.#fetch({
      url: this.#call.setup.voiceUrl,
      method: "POST",
      params: { CallToken: crypto.randomUUID() },
    });
    await this.#call.pass(SETUP_MS);
    while (document !== undefined) {
      // deno-lint-ignore no-await-in-loop -- one document leads to the next
      const next = await this.#perform(document);
      // deno-lint-ignore no-await-in-loop
      document = next && await this.#fetch(next);
    }
  }

  /** Returns where the document leads to; nowhere once the call is over. */
  async #perform(document: Document): Promise<DocumentRequest | undefined> {
    for (const verb of document.verbs) {
      if (answers(verb)) this.#call.answer();
      // deno-lint-ignore no-await-in-loop -- verbs follow each other
      const next = await this.#verb(verb, document.url);
      if (next === "ended") return undefined;
      if (next !== "next") return next;
    }
    this.#call.end("app");
    return undefined;
  }

  async #verb(verb: Verb, documentUrl: string): Promise<DocumentRequest | "next" | "ended"> {
    const call = this.#call;
    switch (verb.verb) {
      case "Say":
      case "Play":
      case "Pause": {
        const input = await play(call, verb);
        return input === "hangup" ? call.leave() : "next";
      }
      case "Gather":
        return await gather(call, verb, documentUrl);
      case "Dial":
        return await dial(call, verb, documentUrl);
      case "Record":
        return await record(call, verb, documentUrl);
      case "Redirect": {
        const url = resolveUrl(verb.url, documentUrl);
        call.happens({ kind: "redirect", url });
        return { url, method: verb.method, params: {} };
      }
      case "Reject":
        call.happens({ kind: "reject", reason: verb.reason });
        // Not confirmed: that Twilio's final status of a call rejected as "rejected" is no-answer.
        call.end("app", verb.reason === "busy" ? "busy" : "no-answer");
        return "ended";
      case "Hangup":
        call.end("app");
        return "ended";
    }
  }

  /** A failure leads to the fallback URL's document, or ends the call. */
  async #fetch(request: DocumentRequest, isFallback = false): Promise<Document | undefined> {
    const { url } = request;
    const { maxSteps } = this.#call.setup;
    if (++this.#steps > maxSteps) {
      throw new Error(
        `Cannot follow the call further as it asked for more than ${maxSteps} documents: the last is ${url}`,
      );
    }
    if (!isHttpUrl(url)) {
      return await this.#applicationError(11100, `"${url}" is not a URL`, url, isFallback);
    }
    const webhook = await this.#call.request(request);
    if (webhook.status === 0) {
      return await this.#applicationError(11205, webhook.failure ?? "", url, isFallback);
    }
    if (webhook.twiml === undefined) {
      const message = `Got HTTP ${webhook.status} response to ${webhook.url}`;
      return await this.#applicationError(11200, message, url, isFallback);
    }
    try {
      const twiml = parseTwiml(webhook.twiml, webhook.headers["content-type"] ?? null);
      for (const message of twiml.warnings) {
        this.#call.happens({ kind: "warning", code: 12200, message });
      }
      return { url, verbs: twiml.verbs };
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      return await this.#applicationError(error.code, error.message, url, isFallback);
    }
  }

  async #applicationError(
    code: number,
    message: string,
    url: string,
    isFallback: boolean,
  ): Promise<Document | undefined> {
    const call = this.#call;
    const { fallbackUrl } = call.setup;
    call.happens({ kind: "error", code, message, url });
    if (fallbackUrl !== undefined && !isFallback) {
      call.happens({ kind: "fallback", url: fallbackUrl });
      const params = { ErrorCode: String(code), ErrorUrl: url };
      return await this.#fetch({ url: fallbackUrl, method: "POST", params }, true);
    }
    call.record.applicationError = { code, message, url };
    call.answer();
    await play(call, {
      verb: "Say",
      text: APPLICATION_ERROR,
      voice: undefined,
      language: undefined,
      loop: 1,
    });
    call.end("error");
    return undefined;
  }
}

/** Source: Twilio, "TwiML Voice: Reject", "Pause" (as first verb) and "Dial: answerOnBridge". */
function answers(verb: Verb): boolean {
  if (verb.verb === "Reject" || verb.verb === "Pause") return false;
  return !(verb.verb === "Dial" && verb.answerOnBridge);
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
}
