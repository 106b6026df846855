import {
  type Callee,
  type Caller,
  type CallEvent,
  type CallRecord,
  type Input,
  type Message,
  type PlacedCall,
  type Simulator,
  type Webhook,
} from "../phone/mod.ts";
import { LiveClock } from "./clock.ts";
import { type Audio, type Recordings, sampleMessage } from "./recordings.ts";
import { prettyTwiml } from "./twiml.ts";

/** The page's messages, one JSON text each. A message's audio comes before it as a binary frame. */
type FromPage =
  | { readonly type: "call"; readonly from: string; readonly to: string }
  /** The prompt that was asked to be spoken has been. */
  | { readonly type: "heard"; readonly nth: number }
  | { readonly type: "key"; readonly key: string }
  | { readonly type: "speech"; readonly text: string }
  /** Words are being typed or spoken: not a silence. */
  | { readonly type: "speaking" }
  /** They are not any more, and none were said. */
  | { readonly type: "quiet" }
  | { readonly type: "callee"; readonly does: "answer" | "machine" | "decline" | "ignore" }
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
 * The telephone behind one WebSocket. The page plays the caller and the persons that the hotline dials. Closing the
 * socket hangs up.
 */
export function servePhone(
  socket: WebSocket,
  simulator: (to: string) => Promise<Simulator>,
  recordings: Recordings,
): void {
  let line: PhoneLine | undefined;
  let rings = false;
  let audio: Uint8Array<ArrayBuffer> | undefined;
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) {
      audio = data.byteLength <= LONGEST_AUDIO ? new Uint8Array(data) : undefined;
      return;
    }
    const message = parse(data);
    if (message?.type === "call") {
      if (rings || line?.isOver === false) return;
      rings = true;
      simulator(message.to).then((twilio) => {
        line = new PhoneLine(socket, twilio, recordings, message.from, message.to);
      }).catch((error) => console.error(`The web phone cannot ring: ${error.message}`))
        .finally(() => rings = false);
    } else if (message?.type === "message") {
      const recorded = audio && message.audio ? { type: message.audio, bytes: audio } : undefined;
      audio = undefined;
      line?.leave(message, recorded);
    } else if (message !== undefined) {
      line?.take(message);
    }
  };
  socket.onclose = () => line?.take({ type: "hangup" });
  socket.onerror = () => {};
}

class PhoneLine {
  isOver = false;
  readonly #socket: WebSocket;
  readonly #recordings: Recordings;
  readonly #clock = new LiveClock();
  readonly #call: PlacedCall;
  /** The question that waits for an answer. */
  #question: Question | undefined;
  #answer: (answer: unknown) => void = () => {};
  #askedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listening: Listening = { timeout: 5, numDigits: 1 };
  #digits = "";
  /** Who is talked to; `endedBy` is read when the conversation is over. */
  #callee: { outcome: "answered"; endedBy: "callee" | "star" } & Callee | undefined;
  #audio: Audio | undefined;

  constructor(
    socket: WebSocket,
    simulator: Simulator,
    recordings: Recordings,
    from: string,
    to: string,
  ) {
    this.#socket = socket;
    this.#recordings = recordings;
    this.#call = simulator.place({
      from,
      to,
      clock: this.#clock,
      caller: this.#caller,
      onEvent: (event) => this.#happens(event),
      onWebhook: (webhook) => this.#tell({ type: "webhook", webhook: shown(webhook) }),
    });
    const { callSid, startedAt } = this.#call.record;
    this.#tell({ type: "call", callSid, from, to, startedAt });
    this.#call.done.then(
      (record) => this.#end(summary(record)),
      (error) => this.#end({ status: "failed", reached: String(error), seconds: 0 }),
    );
  }

  /** Handles an action on the page. An action that nothing waits for is reported as lost. */
  take(message: Exclude<FromPage, { type: "call" | "message" }>): void {
    const asked = this.#question;
    switch (message.type) {
      case "hangup":
        return this.#call.hangUp();
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
        if (asked?.ask === "dial") this.#callee = this.#pickUp(message.does);
        return;
      case "callee-hangup":
        if (this.#callee !== undefined) this.#clock.skip();
        return;
      case "silence":
        if (asked?.ask === "record") this.#reply("silence");
        else if (asked?.ask === "gather") this.#staySilent();
        return;
    }
  }

  /** Leaves a voicemail: the audio as recorded, or a sample in its place. */
  leave(message: Extract<FromPage, { type: "message" }>, audio: Audio | undefined): void {
    if (this.#question?.ask !== "record") return;
    const seconds = Math.min(Math.max(Math.round(message.seconds), 1), 600);
    this.#audio = audio;
    // What was spoken or typed has taken its time; a sample may take some more now.
    this.#clock.waited(Math.min(seconds * 1000, this.#elapsed()));
    this.#reply(
      {
        seconds,
        end: message.end,
        transcript: message.transcript.slice(0, 4000),
      } satisfies Message,
    );
  }

  readonly #caller: Caller = {
    onHear: ({ nth, text, audio, language, gathering }) =>
      this.#ask<Input | undefined>({ ask: "hear", nth, text, audio, language, gathering }),
    onGather: ({ gather: { dtmf, speech, timeout, language } }) => {
      const answer = this.#ask<Input>({ ask: "gather", dtmf, speech, timeout, language });
      this.#silentAfter(timeout);
      return answer;
    },
    onDial: ({ number, dial: { timeout } }) => {
      const answer = this.#ask<Callee>({ ask: "dial", number, timeout });
      this.#timer = setTimeout(() => this.#pickUp("ignore"), timeout * 1000);
      return answer;
    },
    onRecord: ({ record: { maxLength, finishOnKey, playBeep } }) =>
      this.#ask<Message | "silence">({ ask: "record", maxLength, finishOnKey, playBeep }),
  };

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
    this.#clock.waited(Math.min(this.#listening.timeout * 1000, this.#elapsed()));
    this.#reply("silence");
  }

  #listens(): boolean {
    const asked = this.#question;
    return asked?.ask === "gather" || (asked?.ask === "hear" && asked.gathering);
  }

  #press(key: string): void {
    if (!/^[0-9*#]$/.test(key)) return;
    if (this.#callee !== undefined && key === "*") {
      this.#callee.endedBy = "star";
      return this.#clock.skip();
    }
    if (!this.#listens()) return this.#tell({ type: "lost", what: key });
    this.#digits += key;
    this.#tell({ type: "pressed", digits: this.#digits });
    const { numDigits, timeout } = this.#listening;
    const answer = { digits: this.#digits, afterMs: 0 };
    if (key === "#" || this.#digits.length === numDigits) return this.#reply(answer);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#clock.waited(timeout * 1000);
      this.#reply(answer);
    }, timeout * 1000);
  }

  #pickUp(does: "answer" | "machine" | "decline" | "ignore") {
    const ringSeconds = this.#elapsed() / 1000;
    this.#clock.waited(this.#elapsed());
    if (does === "answer" || does === "machine") {
      const talk = { talkSeconds: LONGEST_TALK, endedBy: "callee" as const };
      // A voicemail box presses no key to accept the call.
      const presses = does === "machine" ? "" : "1";
      const callee = { outcome: "answered" as const, ringSeconds, presses, ...talk };
      this.#reply(callee);
      return callee;
    }
    this.#reply({ outcome: does === "decline" ? "busy" : "no-answer", ringSeconds });
    return undefined;
  }

  #happens(event: CallEvent): void {
    if (event.kind === "gather") this.#listening = event;
    if (event.kind === "dialled") this.#callee = undefined;
    if (event.kind === "recorded" && event.seconds > 0) {
      const audio = event.source === "RecordVerb" ? this.#audio : undefined;
      this.#recordings.keep(event.sid, audio ?? sampleMessage(event.seconds)).catch((error) =>
        this.#tell({ type: "problem", text: `The recording was not kept: ${error.message}` })
      );
    }
    this.#tell({ type: "event", event });
  }

  #end(outcome: Outcome): void {
    this.isOver = true;
    clearTimeout(this.#timer);
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
  const reached = record.applicationError
    ? "heard an application error"
    : voicemail
    ? "left a voicemail"
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

/** A message of the page in the form above; undefined for any other. */
function parse(data: unknown): FromPage | undefined {
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
    ["heard", () => typeof message["nth"] === "number"],
    ["key", () => strings("key")],
    ["speech", () => strings("text")],
    ["speaking", () => true],
    ["quiet", () => true],
    ["callee", () => ["answer", "machine", "decline", "ignore"].includes(`${message["does"]}`)],
    ["callee-hangup", () => true],
    ["message", () =>
      Number.isFinite(message["seconds"]) && strings("transcript") &&
      /^([0-9*#]|hangup|maxlength)$/.test(`${message["end"]}`) &&
      ["string", "undefined"].includes(typeof message["audio"])],
    ["silence", () => true],
    ["hangup", () => true],
  ]).get(message["type"]);
  return isWhole?.() ? message as unknown as FromPage : undefined;
}
