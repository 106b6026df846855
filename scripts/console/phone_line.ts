import {
  type Callee,
  type CallEvent,
  type CallRecord,
  type Heard,
  type Input,
  type Message,
  personAt,
  type PlacedCall,
  type RingOffer,
  type Telephone,
  type Webhook,
} from "../phone/mod.ts";
import type { LiveClock } from "./clock.ts";
import type { Audio } from "./recordings.ts";
import type { Held, Switchboard } from "./switchboard.ts";
import { prettyTwiml } from "./twiml.ts";

/** What a telephone does by itself when it rings; `person`: rings until somebody acts. */
const RULES = {
  answer: {},
  machine: { presses: "" },
  decline: { outcome: "busy" },
  ignore: { outcome: "no-answer" },
} as const satisfies Record<string, Callee>;
type Rule = keyof typeof RULES;

/** A telephone's messages, one JSON text each. A message's audio comes before it as a binary frame. */
type FromTelephone =
  /** It has this number from now on, and rings when the number is called. */
  | { readonly type: "on"; readonly number: string }
  | { readonly type: "rule"; readonly does: Rule | "person" }
  | { readonly type: "call"; readonly from: string; readonly to: string }
  | { readonly type: "pick-up" }
  | { readonly type: "decline" }
  /** The prompt that was asked to be spoken has been. */
  | { readonly type: "heard"; readonly nth: number }
  | { readonly type: "key"; readonly key: string }
  | { readonly type: "speech"; readonly text: string }
  /** Words are being typed or spoken: not a silence. */
  | { readonly type: "speaking" }
  /** They are not any more, and none were said. */
  | { readonly type: "quiet" }
  /** Of a number that no telephone holds, which the caller plays too. */
  | { readonly type: "callee"; readonly does: Rule }
  | { readonly type: "callee-hangup" }
  | {
    readonly type: "message";
    readonly seconds: number;
    /** The key that ended it, the hang-up that did, or `maxlength`. */
    readonly end: string;
    readonly transcript: string;
    readonly audio?: string;
  }
  | { readonly type: "silence" }
  | { readonly type: "hangup" };

/** What the line wants of the person at the page now. */
type Question =
  | {
    readonly ask: "hear";
    readonly nth: number;
    readonly text: string;
    readonly audio: boolean;
    readonly language: string | undefined;
    readonly gathering: boolean;
  }
  | {
    readonly ask: "gather";
    readonly dtmf: boolean;
    readonly speech: boolean;
    readonly timeout: number;
    readonly language: string | undefined;
  }
  | { readonly ask: "dial"; readonly number: string; readonly timeout: number }
  | {
    readonly ask: "record";
    readonly maxLength: number;
    readonly finishOnKey: string;
    readonly playBeep: boolean;
  };

/** A `Gather` as far as it decides when keys are complete. */
interface Listening {
  readonly timeout: number;
  readonly numDigits: number | undefined;
}

/** The silence allowed for typing a sentence, in seconds. */
const TYPING = 45;
/** The longest conversation of the web phone, in seconds. */
const LONGEST_TALK = 3600;
/** Longest audio of a message, in bytes: two minutes at more than any browser's default. */
const LONGEST_AUDIO = 8 * 1024 * 1024;

/**
 * The telephone behind one WebSocket, of a page or of a terminal: it calls lines, and rings when its number is called. Closing
 * the socket hangs up and switches it off.
 */
export function servePhone(socket: WebSocket, switchboard: Switchboard): void {
  const handset = new Handset(socket, switchboard);
  let audio: Uint8Array<ArrayBuffer> | undefined;
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) {
      audio = data.byteLength <= LONGEST_AUDIO ? new Uint8Array(data) : undefined;
      return;
    }
    const message = parse(data);
    if (message?.type === "message") {
      const recorded = audio && message.audio ? { type: message.audio, bytes: audio } : undefined;
      audio = undefined;
      handset.leave(message, recorded);
    } else if (message !== undefined) {
      handset.take(message);
    }
  };
  socket.onclose = () => handset.close();
  socket.onerror = () => {};
}

/** A call in which the telephone takes part. */
interface Part {
  readonly clock: LiveClock;
  hangUp(): void;
  press(key: string): void;
}

class Handset implements Held, Telephone {
  readonly isLive = true;
  readonly #socket: WebSocket;
  readonly #switchboard: Switchboard;
  #rule: Rule | "person" = "person";
  #letGo = () => {};
  /** In use from the first ring, or from the call, to the end. */
  #part: Part | undefined;
  /** Decides about the telephone that rings. */
  #pickUp: ((callee: Callee) => void) | undefined;
  #isTalking = false;
  /** The question that waits for an answer. */
  #question: Question | undefined;
  #answer: (answer: unknown) => void = () => {};
  #askedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listening: Listening = { timeout: 5, numDigits: 1 };
  #digits = "";
  /** Whom the caller plays too while they talk. */
  #callee: Callee | undefined;
  #audio: Audio | undefined;

  constructor(socket: WebSocket, switchboard: Switchboard) {
    this.#socket = socket;
    this.#switchboard = switchboard;
  }

  /** Handles an action. One that nothing waits for is reported as lost. */
  take(message: Exclude<FromTelephone, { type: "message" }>): void {
    const asked = this.#question;
    switch (message.type) {
      case "on":
        this.#letGo();
        this.#letGo = this.#switchboard.hold(message.number, this);
        return this.#tell({ type: "on", number: message.number });
      case "rule":
        this.#rule = message.does;
        return;
      case "call":
        if (this.#part === undefined) this.#call(message.from, message.to);
        return;
      case "pick-up":
        return this.#pickUp?.({ ringSeconds: 0 });
      case "decline":
        return this.#pickUp?.({ ringSeconds: 0, outcome: "busy" });
      case "hangup":
        return this.#part?.hangUp();
      case "heard":
        if (asked?.ask !== "hear" || asked.nth !== message.nth) return;
        // Keys that began to come in during the prompt are still being collected.
        return this.#digits === "" ? this.#reply(undefined) : undefined;
      case "key":
        return this.#press(message.key);
      case "speech":
        if (this.#listens() && message.text.trim() !== "") {
          return this.#reply({ speech: message.text.trim(), afterMs: 0 });
        }
        return this.#tell({ type: "lost", what: message.text });
      case "speaking":
        if (asked?.ask === "gather") this.#silentAfter(TYPING);
        return;
      case "quiet":
        if (asked?.ask === "gather" && this.#digits === "") this.#silentAfter(asked.timeout);
        return;
      case "callee":
        if (asked?.ask === "dial") this.#callee = this.#play(message.does);
        return;
      case "callee-hangup":
        if (this.#callee !== undefined) this.#part?.clock.skip();
        return;
      case "silence":
        if (asked?.ask === "record") this.#reply("silence");
        else if (asked?.ask === "gather") this.#staySilent();
        return;
    }
  }

  /** Leaves a voicemail: the audio as recorded, or a sample in its place. */
  leave(message: Extract<FromTelephone, { type: "message" }>, audio: Audio | undefined): void {
    if (this.#question?.ask !== "record") return;
    const seconds = Math.min(Math.max(Math.round(message.seconds), 1), 600);
    this.#audio = audio;
    // What was spoken or typed has taken its time; a sample may take some more now.
    this.#part?.clock.waited(Math.min(seconds * 1000, this.#elapsed()));
    this.#reply(
      {
        seconds,
        end: message.end,
        transcript: message.transcript.slice(0, 4000),
      } satisfies Message,
    );
  }

  close(): void {
    this.#letGo();
    this.#pickUp?.({ ringSeconds: 0, outcome: "failed" });
    this.#part?.hangUp();
  }

  // ---- as the switchboard has it ---------------------------------------------------------------

  ring(offer: RingOffer): Telephone {
    if (this.#part !== undefined) return personAt({ outcome: "busy" });
    if (this.#rule === "person") return this;
    this.#tell({ type: "missed", from: offer.from, does: this.#rule });
    return personAt(RULES[this.#rule]);
  }

  happens(event: CallEvent): void {
    if (event.kind === "gather") this.#listening = event;
    if (event.kind === "dialled") this.#callee = undefined;
    if (event.kind === "bridged") this.#isTalking = true;
    if (event.kind === "dialled" || event.kind === "dequeued") this.#isTalking = false;
    this.#tell({ type: "event", event });
  }

  sent(webhook: Webhook): void {
    this.#tell({ type: "webhook", webhook: shown(webhook) });
  }

  spoken(): Audio | undefined {
    const audio = this.#audio;
    this.#audio = undefined;
    return audio;
  }

  // ---- as the call has it ----------------------------------------------------------------------

  onRing(offer: RingOffer): Promise<Callee> {
    const { promise, resolve } = Promise.withResolvers<Callee>();
    const answeredAt = Date.now();
    this.#listening = { timeout: 5, numDigits: 1 };
    this.#part = {
      clock: offer.clock as LiveClock,
      hangUp: () => {
        this.#pickUp?.({ ringSeconds: 0, outcome: "busy" });
        offer.hangUp();
      },
      press: offer.press,
    };
    let picked = false;
    this.#pickUp = (callee) => {
      this.#pickUp = undefined;
      picked = callee.outcome === undefined;
      if (picked) this.#tell({ type: "picked-up" });
      resolve({ talkSeconds: LONGEST_TALK, ...callee });
    };
    offer.over.addEventListener("abort", () => {
      const seconds = picked ? Math.round((Date.now() - answeredAt) / 1000) : 0;
      this.#end({
        status: "completed",
        reached: picked ? "were called" : "missed a call",
        seconds,
      });
    }, { once: true });
    this.#tell({ type: "rings", from: offer.from, timeout: offer.timeout });
    return promise;
  }

  onTalk(): Callee {
    this.#isTalking = true;
    this.#tell({ type: "talk" });
    return { talkSeconds: LONGEST_TALK };
  }

  onHear({ nth, text, audio, language, gathering }: Heard): Promise<Input | undefined> {
    return this.#ask({ ask: "hear", nth, text, audio, language, gathering });
  }

  onGather({ gather }: Parameters<Telephone["onGather"]>[0]): Promise<Input> {
    const { dtmf, speech, timeout, numDigits } = gather;
    this.#listening = { timeout, numDigits };
    const answer = this.#ask<Input>({
      ask: "gather",
      dtmf,
      speech,
      timeout,
      language: gather.language,
    });
    this.#silentAfter(timeout);
    return answer;
  }

  /** A number that no telephone holds. */
  onDial({ number, dial: { timeout } }: { number: string; dial: { timeout: number } }) {
    const answer = this.#ask<Callee>({ ask: "dial", number, timeout });
    this.#timer = setTimeout(() => this.#play("ignore"), timeout * 1000);
    return answer;
  }

  onRecord({ record }: Parameters<NonNullable<Telephone["onRecord"]>>[0]) {
    const { maxLength, finishOnKey, playBeep } = record;
    return this.#ask<Message | "silence">({ ask: "record", maxLength, finishOnKey, playBeep });
  }

  // ---- the person ------------------------------------------------------------------------------

  #call(from: string, to: string): void {
    let call: (PlacedCall & { clock: LiveClock }) | undefined;
    let hasHungUp = false;
    const nothing = { skip() {}, waited() {} } as unknown as LiveClock;
    this.#part = { clock: nothing, hangUp: () => hasHungUp = true, press() {} };
    this.#switchboard.call(this, from, to).then((placed) => {
      call = placed;
      this.#part = call;
      if (hasHungUp) call.hangUp();
      const { callSid, startedAt } = call.record;
      this.#tell({ type: "call", callSid, from, to, startedAt });
      return call.done.then((record) => this.#end(summary(record)));
    }).catch((error) => this.#end({ status: "failed", reached: String(error), seconds: 0 }));
  }

  #ask<T>(question: Question): Promise<T> {
    this.#question = question;
    this.#digits = "";
    this.#askedAt = performance.now();
    this.#tell({ type: "ask", question });
    return new Promise<T>((resolve) => this.#answer = resolve as (answer: unknown) => void);
  }

  #reply(answer: unknown): void {
    clearTimeout(this.#timer);
    this.#question = undefined;
    this.#tell({ type: "ask", question: null });
    this.#answer(answer);
  }

  /** Milliseconds since the question. */
  #elapsed(): number {
    return performance.now() - this.#askedAt;
  }

  #silentAfter(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#staySilent(), seconds * 1000);
  }

  #staySilent(): void {
    this.#part?.clock.waited(Math.min(this.#listening.timeout * 1000, this.#elapsed()));
    this.#reply("silence");
  }

  #listens(): boolean {
    const asked = this.#question;
    return asked?.ask === "gather" || (asked?.ask === "hear" && asked.gathering);
  }

  #press(key: string): void {
    if (!/^[0-9*#]$/.test(key)) return;
    if (this.#isTalking) return this.#part?.press(key);
    if (!this.#listens()) return this.#tell({ type: "lost", what: key });
    this.#digits += key;
    this.#tell({ type: "pressed", digits: this.#digits });
    const { numDigits, timeout } = this.#listening;
    const answer = { digits: this.#digits, afterMs: 0 };
    if (key === "#" || this.#digits.length === numDigits) return this.#reply(answer);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#part?.clock.waited(timeout * 1000);
      this.#reply(answer);
    }, timeout * 1000);
  }

  /** What becomes of a number that no telephone holds. @returns the person who is talked to then. */
  #play(does: Rule): Callee | undefined {
    const callee = { ...RULES[does], ringSeconds: 0, talkSeconds: LONGEST_TALK };
    this.#reply(callee);
    return does === "answer" || does === "machine" ? callee : undefined;
  }

  #end(outcome: Outcome): void {
    clearTimeout(this.#timer);
    this.#part = undefined;
    this.#pickUp = undefined;
    this.#isTalking = false;
    this.#question = undefined;
    this.#callee = undefined;
    this.#tell({ type: "over", outcome });
  }

  #tell(message: unknown): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

interface Outcome {
  readonly status: string;
  readonly reached: string;
  readonly seconds: number;
}

function summary(record: CallRecord): Outcome {
  const voicemail = record.all("recorded").some(({ source }) => source === "RecordVerb");
  const talked = record.all("dialled").some(({ status }) => status === "completed");
  const joined = record.all("bridged").length > 0;
  const reached = record.applicationError
    ? "heard an application error"
    : voicemail
    ? "left a voicemail"
    : joined
    ? "talked to somebody"
    : talked
    ? `talked to ${record.dialled.at(-1)}`
    : "reached nobody";
  return { status: record.status, reached, seconds: record.durationSeconds };
}

function shown(webhook: Webhook) {
  const { kind, method, attempt, status, ms, failure, params } = webhook;
  const { pathname, search } = new URL(webhook.url);
  const path = pathname + search;
  const twiml = webhook.twiml && prettyTwiml(webhook.twiml);
  return { kind, method, path, attempt, status, ms, failure, params, twiml };
}

/** A message in the form above; undefined for any other. */
function parse(data: unknown): FromTelephone | undefined {
  let message: Record<string, unknown>;
  try {
    message = JSON.parse(String(data));
  } catch {
    return undefined;
  }
  if (typeof message !== "object" || message === null) return undefined;
  const strings = (...names: string[]) => names.every((name) => typeof message[name] === "string");
  const isWhole = new Map<unknown, () => boolean>([
    [
      "call",
      () =>
        strings("from", "to") && /^(\+[1-9]\d{1,14}|anonymous)$/.test(`${message["from"]}`) &&
        /^\+[1-9]\d{1,14}$/.test(`${message["to"]}`),
    ],
    ["on", () => strings("number") && /^\+[1-9]\d{1,14}$/.test(`${message["number"]}`)],
    ["rule", () => message["does"] === "person" || isRule(message["does"])],
    ["pick-up", () => true],
    ["decline", () => true],
    ["heard", () => typeof message["nth"] === "number"],
    ["key", () => strings("key")],
    ["speech", () => strings("text")],
    ["speaking", () => true],
    ["quiet", () => true],
    ["callee", () => isRule(message["does"])],
    ["callee-hangup", () => true],
    ["message", () =>
      Number.isFinite(message["seconds"]) && strings("transcript") &&
      /^([0-9*#]|hangup|maxlength)$/.test(`${message["end"]}`) &&
      ["string", "undefined"].includes(typeof message["audio"])],
    ["silence", () => true],
    ["hangup", () => true],
  ]).get(message["type"]);
  return isWhole?.() ? message as unknown as FromTelephone : undefined;
}

function isRule(does: unknown): does is Rule {
  return typeof does === "string" && Object.hasOwn(RULES, does);
}
