import type { Call } from "./call.ts";
import { dial } from "./dial.ts";
import { type Document, fetchDocument, readDocument } from "./document.ts";
import { gather } from "./gather.ts";
import { type DocumentRequest, type DocumentSource, Redirected } from "./interruption.ts";
import { play } from "./prompt.ts";
import { dialQueue, enqueue } from "./queue.ts";
import { record } from "./record_verb.ts";
import { connect } from "./relay.ts";
import { type Leave, resolveUrl, TwimlError, type Verb } from "./twiml.ts";

/** What Twilio says when an app fails. */
export const APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye.";

/** From the first webhook until Twilio picks up; a caller may give up before. */
const SETUP_MS = 100;

/** Carries out the TwiML that a call's webhooks are answered, document by document. */
export class Interpreter {
  readonly #call: Call;
  #steps = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  /** An inbound call: from the first webhook until the app ends it. */
  async answer(): Promise<void> {
    const { voiceUrl, from, exchange } = this.#call.setup;
    const CallToken = crypto.randomUUID();
    exchange.tokens.set(CallToken, from);
    const first = await this.#fetch({ url: voiceUrl, method: "POST", params: { CallToken } });
    try {
      await this.#call.pass(SETUP_MS);
      await this.run(first);
    } finally {
      // Not confirmed: how long one is good.
      exchange.tokens.delete(CallToken);
    }
  }

  /** Document after document, until the app ends the call. */
  async run(source: DocumentSource | Document | undefined): Promise<void> {
    let next = source;
    while (next !== undefined) {
      try {
        // deno-lint-ignore no-await-in-loop -- one document leads to the next
        const document = "verbs" in next ? next : await this.#open(next);
        // deno-lint-ignore no-await-in-loop
        next = document && await this.#follow(document);
      } catch (error) {
        if (!(error instanceof Redirected)) throw error;
        this.#call.resume(error);
        next = error.to;
      }
    }
  }

  async #open(source: DocumentSource): Promise<Document | undefined> {
    if (!("twiml" in source)) return await this.#fetch(source);
    const { voiceUrl } = this.#call.setup;
    return await this.#read(
      // deno-lint-ignore require-await -- fails as a request does
      async () => readDocument(this.#call, voiceUrl, source.twiml, "text/xml"),
      voiceUrl,
      false,
    );
  }

  /** Returns where the document leads to; nowhere once the call is over. */
  async #follow(document: Document): Promise<DocumentRequest | undefined> {
    const next = await this.#perform(document);
    if (typeof next === "object") return next;
    // Not confirmed: that <Leave> outside a queue ends the document.
    if (next !== "ended") this.#call.end("app");
    return undefined;
  }

  async #perform(document: Document): Promise<DocumentRequest | "ran out" | "left" | "ended"> {
    for (const verb of document.verbs) {
      if (answers(verb)) this.#call.answer();
      if (verb.verb === "Leave") return "left";
      // deno-lint-ignore no-await-in-loop -- verbs follow each other
      const next = await this.#verb(verb, document.url);
      if (next !== "next") return next;
    }
    return "ran out";
  }

  async #verb(
    verb: Exclude<Verb, Leave>,
    documentUrl: string,
  ): Promise<DocumentRequest | "next" | "ended"> {
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
        return verb.queue === undefined
          ? await dial(call, verb, documentUrl)
          : await dialQueue(call, verb, documentUrl);
      case "Enqueue":
        return await enqueue(call, verb, documentUrl, (document) => this.#perform(document));
      case "Connect":
        return await connect(call, verb, documentUrl);
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
    return await this.#read(() => fetchDocument(this.#call, request), request.url, isFallback);
  }

  async #read(
    document: () => Promise<Document>,
    url: string,
    isFallback: boolean,
  ): Promise<Document | undefined> {
    const { maxSteps } = this.#call.setup;
    if (++this.#steps > maxSteps) {
      throw new Error(
        `Cannot follow the call further as it asked for more than ${maxSteps} documents: the last is ${url}`,
      );
    }
    try {
      return await document();
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
