import { LANGUAGES, speaks } from "../../supabase/functions/_shared/voices.ts";
import { parseXml, type XmlElement } from "../xml.ts";

/** Words to be spoken. Source: Twilio, "TwiML Voice: Say". */
export interface Say {
  readonly verb: "Say";
  /** Without its SSML, white space collapsed. */
  readonly text: string;
  readonly voice: string | undefined;
  readonly language: string | undefined;
  readonly loop: number;
}

/** Audio at a URL, or keypad tones. Source: Twilio, "TwiML Voice: Play". */
export interface Play {
  readonly verb: "Play";
  readonly url: string;
  readonly digits: string | undefined;
  readonly loop: number;
}

export interface Pause {
  readonly verb: "Pause";
  /** Seconds. */
  readonly length: number;
}

export type Prompt = Say | Play | Pause;

/** Keys or speech from the caller. Source: Twilio, "TwiML Voice: Gather". */
export interface Gather {
  readonly verb: "Gather";
  readonly dtmf: boolean;
  readonly speech: boolean;
  readonly action: string | undefined;
  readonly method: Method;
  /** Seconds of silence after which no more input is expected. */
  readonly timeout: number;
  /** Seconds of silence that end speech; `auto` is taken as 1. Default: `timeout`. */
  readonly speechTimeout: number;
  readonly numDigits: number | undefined;
  readonly finishOnKey: string;
  readonly actionOnEmptyResult: boolean;
  readonly language: string | undefined;
  readonly hints: string | undefined;
  readonly prompts: readonly Prompt[];
}

export interface DialNumber {
  readonly number: string;
  /** What the called person hears before the two are connected. Source: Twilio, "TwiML Voice: Number: url". */
  readonly url: string | undefined;
  readonly method: Method;
  readonly statusCallback: string | undefined;
  readonly statusCallbackMethod: Method;
  readonly statusCallbackEvents: readonly ProgressEvent[];
}

/** Where a verb has its recordings reported. Source: Twilio, "TwiML Voice: Dial" and "Record". */
export interface RecordingCallback {
  readonly recordingStatusCallback: string | undefined;
  readonly recordingStatusCallbackMethod: Method;
  readonly recordingStatusCallbackEvents: readonly RecordingEvent[];
}

/** The first call in a queue. Source: https://www.twilio.com/docs/voice/twiml/queue */
export interface DialQueue {
  readonly name: string;
  /** What the queued caller hears before the two are connected. */
  readonly url: string | undefined;
  readonly method: Method;
}

/** Connects the caller to a person. Source: Twilio, "TwiML Voice: Dial", "Number" and "Queue". */
export interface Dial extends RecordingCallback {
  readonly verb: "Dial";
  readonly numbers: readonly DialNumber[];
  /** Dialled in place of numbers. */
  readonly queue: DialQueue | undefined;
  readonly action: string | undefined;
  readonly method: Method;
  /** Seconds that the phone rings at most. */
  readonly timeout: number;
  /** Seconds that the two may talk at most. */
  readonly timeLimit: number;
  readonly callerId: string | undefined;
  readonly record: RecordMode;
  readonly hangupOnStar: boolean;
  readonly answerOnBridge: boolean;
  /** One number after the other, instead of all at once. */
  readonly sequential: boolean;
}

/** The caller's voice, kept. Source: Twilio, "TwiML Voice: Record". */
export interface RecordVerb extends RecordingCallback {
  readonly verb: "Record";
  readonly action: string | undefined;
  readonly method: Method;
  /** Seconds; at most 120 when it is to be transcribed. */
  readonly maxLength: number;
  /** Seconds of silence that end it. */
  readonly timeout: number;
  readonly finishOnKey: string;
  readonly playBeep: boolean;
  readonly transcribe: boolean;
  readonly transcribeCallback: string | undefined;
}

/** Holds the call in a queue. Source: https://www.twilio.com/docs/voice/twiml/enqueue */
export interface Enqueue {
  readonly verb: "Enqueue";
  readonly name: string;
  readonly action: string | undefined;
  readonly method: Method;
  /** Asked again whenever its document has run out; without one there is Twilio's music. */
  readonly waitUrl: string | undefined;
  readonly waitUrlMethod: Method;
}

/** A talk over a socket. Source: https://www.twilio.com/docs/voice/twiml/connect/conversationrelay */
export interface Relay {
  readonly url: string;
  readonly language: string;
  /** Empty: none. */
  readonly welcomeGreeting: string;
  /** Of `speaker-events` and `tokens-played`. */
  readonly events: readonly string[];
}

export interface Connect {
  readonly verb: "Connect";
  readonly action: string | undefined;
  readonly method: Method;
  readonly relay: Relay;
}

/** Takes the call out of its queue. Source: https://www.twilio.com/docs/voice/twiml/leave */
export interface Leave {
  readonly verb: "Leave";
}

export interface Redirect {
  readonly verb: "Redirect";
  readonly url: string;
  readonly method: Method;
}

export interface Reject {
  readonly verb: "Reject";
  readonly reason: "rejected" | "busy";
}

export interface Hangup {
  readonly verb: "Hangup";
}

export type Verb =
  | Prompt
  | Gather
  | Dial
  | RecordVerb
  | Enqueue
  | Connect
  | Leave
  | Redirect
  | Reject
  | Hangup;
export type Method = "GET" | "POST";
export type ProgressEvent = (typeof PROGRESS_EVENTS)[number];
export type RecordingEvent = (typeof RECORDING_EVENTS)[number];
export type RecordMode = (typeof RECORD_MODES)[number];

const PROGRESS_EVENTS = ["initiated", "ringing", "answered", "completed"] as const;
const RECORDING_EVENTS = ["in-progress", "completed", "absent"] as const;
const RECORD_MODES = [
  "do-not-record",
  "record-from-answer",
  "record-from-ringing",
  "record-from-answer-dual",
  "record-from-ringing-dual",
] as const;

/** An answer that Twilio cannot carry out: the caller hears the application error. */
export class TwimlError extends Error {
  override name = "TwimlError";

  /** @param code from Twilio's error dictionary, such as 12100. */
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

export interface Twiml {
  readonly verbs: readonly Verb[];
  /** What Twilio reports as a schema warning (12200) and then ignores. */
  readonly warnings: readonly string[];
}

/** Longest document that Twilio takes, in bytes (error 11750). */
const MAX_BYTES = 64 * 1024;
const MAX_TRANSCRIBED_SECONDS = 120;
/** Characters: the page of the verb says 64 or less, those of the errors less than 64; the functions keep to the latter. */
const MAX_QUEUE_NAME = 63;

/**
 * Reads an answer as strictly as Twilio does.
 *
 * @throws {TwimlError} 12300 wrong content type, 11750 too large, 12100 not well-formed or not a
 * `<Response>`, 13511 or, within a `<Gather>`, 13321 a voice that does not speak the language, 14204 to 14213 a queue's name, 12200 a verb or nesting that Twilio does not know. Twilio only warns about the
 * last and skips the verb; here it ends the call, because a hotline that sends it is broken.
 */
export function parseTwiml(body: string, contentType: string | null): Twiml {
  const mediaType = (contentType ?? "").split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "text/xml" && mediaType !== "application/xml") {
    throw new TwimlError(12300, `Cannot play an answer of content type "${contentType ?? ""}"`);
  }
  const bytes = new TextEncoder().encode(body).length;
  if (bytes > MAX_BYTES) {
    throw new TwimlError(11750, `Cannot play TwiML of ${bytes} bytes: the limit is ${MAX_BYTES}`);
  }
  const root = readDocument(body);
  if (root.name !== "Response") {
    throw new TwimlError(12100, `Cannot play <${root.name}>: the root must be <Response>`);
  }
  const warnings: string[] = [];
  if (root.text.trim() !== "") warnings.push("text directly inside <Response>");
  const verbs = root.children.map((element) => readVerb(element, warnings));
  return { verbs, warnings };
}

/** An attribute's URL against that of its document; what cannot be resolved stays as it is. */
export function resolveUrl(url: string, documentUrl: string): string {
  return URL.canParse(url, documentUrl) ? new URL(url, documentUrl).href : url;
}

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** Of what is spoken, with that of its elements: the text of a verb is not the text of its response. */
  readonly text: string;
}

function readDocument(body: string): Element {
  try {
    return elementOf(parseXml(body));
  } catch (error) {
    throw new TwimlError(12100, `Cannot parse TwiML: ${(error as Error).message}`);
  }
}

function elementOf({ name, attributes, content }: XmlElement): Element {
  const read = content.map((each) => typeof each === "string" ? each : elementOf(each));
  const children = read.filter((each) => typeof each !== "string");
  const text = read.map((each) =>
    typeof each === "string" ? each : SPOKEN.has(name) ? each.text : ""
  ).join("");
  return { name, attributes, children, text };
}

/** The SSML that `<Say>` may hold. Source: Twilio, "Text-to-Speech: SSML". */
const SSML = [
  ..."break emphasis lang mark p phoneme prosody s say-as sub w".split(" "),
  ..."amazon:effect amazon:auto-breaths amazon:domain amazon:emotion".split(" "),
];
const SPOKEN = new Set(["Say", ...SSML]);

function readVerb(element: Element, warnings: string[]): Verb {
  const read = reader(element, warnings);
  switch (element.name) {
    case "Say":
    case "Play":
    case "Pause":
      return readPrompt(element, warnings);
    case "Gather": {
      const input = read.text("input", "dtmf").split(/\s+/);
      const timeout = read.number("timeout", 5);
      read.ignore(
        ..."partialResultCallback partialResultCallbackMethod profanityFilter".split(" "),
        ..."speechModel enhanced debug".split(" "),
      );
      return read.done({
        verb: "Gather",
        dtmf: input.includes("dtmf"),
        speech: input.includes("speech"),
        action: read.optional("action"),
        method: read.method("method"),
        timeout,
        speechTimeout: read.number("speechTimeout", timeout, { auto: 1 }),
        numDigits: read.number("numDigits", undefined),
        finishOnKey: read.text("finishOnKey", "#"),
        actionOnEmptyResult: read.flag("actionOnEmptyResult", false),
        language: read.optional("language"),
        hints: read.optional("hints"),
        prompts: element.children.map((child) => readPrompt(child, warnings, 13321)),
      });
    }
    case "Dial": {
      const queues = element.children.filter(({ name }) => name === "Queue");
      const numbers = element.children.filter(({ name }) => name !== "Queue")
        .map((child) => readNumber(child, warnings));
      if (element.text.trim() !== "") numbers.unshift(plainNumber(element.text.trim()));
      if (queues.length + Math.min(numbers.length, 1) > 1) {
        throw new TwimlError(12200, "Cannot dial <Queue> beside another noun");
      }
      read.ignore("trim", "ringTone", "recordingTrack", "referUrl", "referMethod");
      return read.done({
        verb: "Dial",
        numbers,
        queue: queues[0] && readQueue(queues[0], warnings),
        action: read.optional("action"),
        method: read.method("method"),
        timeout: read.number("timeout", 30),
        timeLimit: read.number("timeLimit", 14_400),
        callerId: read.optional("callerId"),
        record: read.oneOf("record", "do-not-record", RECORD_MODES, {
          true: "record-from-answer",
          false: "do-not-record",
        }),
        ...readRecordingCallback(read),
        hangupOnStar: read.flag("hangupOnStar", false),
        answerOnBridge: read.flag("answerOnBridge", false),
        sequential: read.flag("sequential", false),
      });
    }
    case "Record": {
      const transcribeCallback = read.optional("transcribeCallback");
      const transcribe = read.flag("transcribe", false);
      const maxLength = read.number("maxLength", 3600);
      read.ignore("trim", "recordingTrack");
      return read.done({
        verb: "Record",
        action: read.optional("action"),
        method: read.method("method"),
        maxLength: transcribe ? Math.min(maxLength, MAX_TRANSCRIBED_SECONDS) : maxLength,
        timeout: read.number("timeout", 5),
        finishOnKey: read.text("finishOnKey", "1234567890*#"),
        playBeep: read.flag("playBeep", true),
        transcribe,
        transcribeCallback,
        ...readRecordingCallback(read),
      });
    }
    case "Enqueue":
      return read.done({
        verb: "Enqueue",
        // Source: https://www.twilio.com/docs/api/errors/14204, .../14205
        name: queueName(element, [14204, 14205]),
        action: read.optional("action"),
        method: read.method("method"),
        waitUrl: read.optional("waitUrl"),
        waitUrlMethod: read.method("waitUrlMethod"),
      });
    case "Connect": {
      const [noun, ...others] = element.children;
      if (noun?.name !== "ConversationRelay" || others.length > 0) {
        throw new TwimlError(12200, "Cannot connect to anything but one <ConversationRelay>");
      }
      return read.done({
        verb: "Connect",
        action: read.optional("action"),
        method: read.method("method"),
        relay: readRelay(noun, warnings),
      });
    }
    case "Leave":
      return read.done({ verb: "Leave" });
    case "Redirect":
      return read.done({
        verb: "Redirect",
        url: element.text.trim(),
        method: read.method("method"),
      });
    case "Reject":
      return read.done({
        verb: "Reject",
        reason: read.oneOf("reason", "rejected", ["rejected", "busy"] as const),
      });
    case "Hangup":
      return read.done({ verb: "Hangup" });
    default:
      throw new TwimlError(12200, `Cannot carry out <${element.name}>: not a supported voice verb`);
  }
}

/** @param voiceCode Twilio's error code for an invalid voice */
function readPrompt(element: Element, warnings: string[], voiceCode = 13511): Prompt {
  const read = reader(element, warnings);
  switch (element.name) {
    case "Say":
      for (const child of element.children) checkSsml(child, warnings);
      checkVoice(element.attributes, voiceCode);
      return read.done({
        verb: "Say",
        text: element.text.replace(/\s+/g, " ").trim(),
        voice: read.optional("voice"),
        language: read.optional("language"),
        loop: read.number("loop", 1),
      });
    case "Play":
      return read.done({
        verb: "Play",
        url: element.text.trim(),
        digits: read.optional("digits"),
        loop: read.number("loop", 1),
      });
    case "Pause":
      return read.done({ verb: "Pause", length: read.number("length", 1) });
    default:
      throw new TwimlError(12200, `Cannot nest <${element.name}> in <Gather>`);
  }
}

/**
 * A voice that does not speak the language: Twilio says that it may fail, so here it always does, in a `<Gather>` or not.
 * Languages that the table of voices does not have are not judged.
 * Source: https://www.twilio.com/docs/voice/twiml/say#voice, https://www.twilio.com/docs/api/errors/13511, .../13321
 */
function checkVoice({ voice, language }: Element["attributes"], code: number): void {
  if (voice === undefined || language === undefined || /^(man|woman|alice)$/.test(voice)) return;
  const isKnown = (LANGUAGES as readonly string[]).includes(language);
  if (isKnown && !speaks(voice, language)) {
    throw new TwimlError(code, `Cannot say anything: voice ${voice} does not speak ${language}`);
  }
}

function checkSsml(element: Element, warnings: string[]): void {
  if (!SPOKEN.has(element.name)) warnings.push(`<${element.name}> inside <Say>`);
  for (const child of element.children) checkSsml(child, warnings);
}

function readNumber(element: Element, warnings: string[]): DialNumber {
  if (element.name !== "Number") {
    throw new TwimlError(
      12200,
      `Cannot dial <${element.name}>: only <Number> and <Queue> are supported`,
    );
  }
  const read = reader(element, warnings);
  read.ignore("byoc");
  return read.done({
    number: element.text.trim(),
    url: read.optional("url"),
    method: read.method("method"),
    statusCallback: read.optional("statusCallback"),
    statusCallbackMethod: read.method("statusCallbackMethod"),
    statusCallbackEvents: read.events("statusCallbackEvent", PROGRESS_EVENTS),
  });
}

const INTERRUPTIBLE = ["any", "none", "dtmf", "speech"] as const;

function readRelay(element: Element, warnings: string[]): Relay {
  const read = reader(element, warnings);
  const url = read.text("url", "");
  const isLocal = URL.canParse(url) &&
    ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
  // A query is signed in ways on which Twilio's pages disagree.
  if (!URL.canParse(url) || new URL(url).search !== "" || !/^wss:/.test(url) && !isLocal) {
    throw new TwimlError(64101, "Cannot connect to a url that is not wss:// or has a query");
  }
  for (const name of ["interruptible", "welcomeGreetingInterruptible"]) {
    read.oneOf(name, "any", INTERRUPTIBLE, { true: "any", false: "none" });
  }
  read.oneOf("reportInputDuringAgentSpeech", "none", INTERRUPTIBLE);
  read.flag("dtmfDetection", false);
  for (const { name } of element.children) {
    if (!["Language", "Parameter", "Failover"].includes(name)) {
      throw new TwimlError(12200, `Cannot carry out <${name}> in <ConversationRelay>`);
    }
  }
  // Source: https://www.twilio.com/docs/voice/twiml/connect/conversationrelay: a voice is its provider's.
  if (read.optional("voice") !== undefined && read.optional("ttsProvider") === undefined) {
    throw new TwimlError(64101, "Cannot speak in a voice without its ttsProvider");
  }
  read.ignore(
    ..."ttsLanguage transcriptionLanguage ttsProvider voice transcriptionProvider".split(" "),
    ..."speechModel interruptSensitivity hints preemptible ignoreBackchannel".split(" "),
    ..."speechTimeout applicationReconnect debug".split(" "),
  );
  return read.done({
    url,
    language: read.text("language", "en-US"),
    welcomeGreeting: read.text("welcomeGreeting", ""),
    events: read.text("events", "").split(/\s+/),
  });
}

function readQueue(element: Element, warnings: string[]): DialQueue {
  const read = reader(element, warnings);
  return read.done({
    // Source: https://www.twilio.com/docs/api/errors/14212, .../14213
    name: queueName(element, [14212, 14213]),
    url: read.optional("url"),
    method: read.method("method"),
  });
}

/** @param codes of a name that is too short, and of one that is too long */
function queueName(element: Element, codes: readonly [number, number]): string {
  const name = element.text.trim();
  if (name !== "" && name.length <= MAX_QUEUE_NAME) return name;
  throw new TwimlError(
    codes[name === "" ? 0 : 1],
    `Cannot carry out <${element.name}>: a queue's name has 1 to ${MAX_QUEUE_NAME} characters`,
  );
}

function readRecordingCallback(read: ReturnType<typeof reader>): RecordingCallback {
  return {
    recordingStatusCallback: read.optional("recordingStatusCallback"),
    recordingStatusCallbackMethod: read.method("recordingStatusCallbackMethod"),
    recordingStatusCallbackEvents: read.events("recordingStatusCallbackEvent", RECORDING_EVENTS),
  };
}

function plainNumber(number: string): DialNumber {
  return {
    number,
    url: undefined,
    method: "POST",
    statusCallback: undefined,
    statusCallbackMethod: "POST",
    statusCallbackEvents: ["completed"],
  };
}

/** Reads the attributes of one element; `done` reports unknown ones. */
function reader(element: Element, warnings: string[]) {
  const left = new Set(Object.keys(element.attributes));
  const optional = (name: string): string | undefined => {
    left.delete(name);
    return element.attributes[name];
  };
  const warn = (name: string, value: string) => {
    warnings.push(`value "${value}" of ${name} on <${element.name}>`);
  };
  const oneOf = <T extends string>(
    name: string,
    fallback: T,
    allowed: readonly T[],
    aliases: Readonly<Record<string, T>> = {},
  ): T => {
    const value = optional(name);
    if (value === undefined) return fallback;
    const known = aliases[value] ?? allowed.find((each) => each === value);
    if (known === undefined) warn(name, value);
    return known ?? fallback;
  };
  const number = <F extends number | undefined>(
    name: string,
    fallback: F,
    aliases: Readonly<Record<string, number>> = {},
  ): number | F => {
    const value = optional(name);
    if (value === undefined) return fallback;
    const known = aliases[value] ?? (/^\d+$/.test(value) ? Number(value) : undefined);
    if (known === undefined) warn(name, value);
    return known ?? fallback;
  };
  return {
    optional,
    oneOf,
    number,
    text: (name: string, fallback: string): string => optional(name) ?? fallback,
    flag: (name: string, fallback: boolean): boolean =>
      oneOf(name, fallback ? "true" : "false", ["true", "false"] as const) === "true",
    method: (name: string): Method => oneOf(name, "POST", ["GET", "POST"] as const),
    /** Defaults to `completed`, for numbers (with a statusCallback) as for recordings. */
    events: <E extends string>(
      name: string,
      allowed: readonly E[],
    ): readonly (E | "completed")[] => {
      const value = optional(name);
      if (value === undefined) return ["completed"];
      return value.split(/[\s,]+/).filter((word) => word !== "").flatMap((word) => {
        const known = allowed.filter((each) => each === word);
        if (known.length === 0) warn(name, word);
        return known;
      });
    },
    ignore: (...names: string[]): void => names.forEach((name) => left.delete(name)),
    done: <V>(value: V): V => {
      for (const name of left) warnings.push(`attribute ${name} on <${element.name}>`);
      return value;
    },
  };
}
