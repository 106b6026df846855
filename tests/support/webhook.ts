// What the function tests share: requests as Twilio signs them, a database that answers as told, and
// TwiML read back into data.

import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { childrenOf, parseXml, textOf, type XmlElement } from "../../scripts/xml.ts";
import type { AcceptOutcome, VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import type { Deps } from "../../supabase/functions/_shared/deps.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { hashOf } from "../../supabase/functions/_shared/flows/hash.ts";
import { unpack } from "../../supabase/functions/_shared/flows/shipped.ts";
import type { FunctionName } from "../../supabase/functions/_shared/functions.ts";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import { readSettings, type Settings } from "../../supabase/functions/_shared/settings.ts";
import { createLines } from "../../supabase/functions/_shared/tenancy/lines.ts";
import type { Handler } from "../../supabase/functions/_shared/webhook.ts";

export const AUTH_TOKEN = "e5f1c2d3b4a5968778695a4b3c2d1e0f";
export const PUBLIC_URL = "https://abcdefgh.supabase.co/functions/v1";
export const ACCOUNT_SID = "AC00000000000000000000000000000001";
export const CALL_SID = "CA0123456789abcdef0123456789abcdef";
export const CHILD_SID = "CAfedcba9876543210fedcba9876543210";
export const RECORDING_SID = "RE0123456789abcdef0123456789abcdef";
export const RECORDING_URL =
  `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT_SID}/Recordings/${RECORDING_SID}`;
export const CALLER = "+14165550123";
export const LINE_NUMBER = "+15875550100";
export const BUSINESS = "+15877428885";
export const SALES = "+15875550111";
export const SUPPORT = "+15875550122";
export const NOW = new Date("2026-03-04T05:06:07.000Z");

/** Every setting that is required, and the targets, as a deployment would have them. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  TWILIO_AUTH_TOKEN: AUTH_TOKEN,
  BUSINESS_TARGET_E164: BUSINESS,
  SALES_TARGET_E164: SALES,
  SUPPORT_TARGET_E164: SUPPORT,
  SUPABASE_URL: "https://abcdefgh.supabase.co",
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_of_the_tests"}',
};

/** The settings of `ENVIRONMENT`, with some of its variables changed, or taken away by `undefined`. */
export function testSettings(changes: Record<string, string | undefined> = {}): Settings {
  const env: Record<string, string | undefined> = { ...ENVIRONMENT, ...changes };
  return readSettings((name) => env[name]);
}

// --- what Twilio sends --------------------------------------------------------------------------------------

/** Parameters by name; or as pairs, where one comes twice. */
export type Params = Readonly<Record<string, string>> | Iterable<[string, string]>;

const base = {
  AccountSid: ACCOUNT_SID,
  ApiVersion: "2010-04-01",
  CallSid: CALL_SID,
  Called: LINE_NUMBER,
  CalledCity: "",
  CalledCountry: "CA",
  CalledState: "AB",
  CalledZip: "",
  Caller: CALLER,
  CallerCity: "TORONTO",
  CallerCountry: "CA",
  CallerState: "ON",
  CallerZip: "",
  Direction: "inbound",
  From: CALLER,
  FromCity: "TORONTO",
  FromCountry: "CA",
  FromState: "ON",
  FromZip: "",
  To: LINE_NUMBER,
  ToCity: "",
  ToCountry: "CA",
  ToState: "AB",
  ToZip: "",
} as const;

/** A call comes in. */
export const incomingCall = {
  ...base,
  CallStatus: "ringing",
  CallToken: "%7B%22parentCallInfoToken%22%3A%22abc%22%7D",
  StirVerstat: "TN-Validation-Passed-A",
};

/** The caller is on the line: a redirect, or a `<Gather>` that heard nothing. */
export const onTheLine = { ...base, CallStatus: "in-progress" };

/** `<Gather>` heard a key. */
export const pressed = (Digits: string) => ({
  ...onTheLine,
  Digits,
  FinishedOnKey: "",
  msg: "Gather End",
});

/** `<Gather>` heard speech. */
export const said = (SpeechResult: string) => ({
  ...onTheLine,
  Confidence: "0.9128386",
  Language: "en-US",
  SpeechResult,
});

/** `<Dial action>`. */
export const dialEnded = (DialCallStatus: string, more: Record<string, string> = {}) => ({
  ...onTheLine,
  DialCallStatus,
  DialCallSid: CHILD_SID,
  ...more,
});

/** `<Record action>`. */
export const recordEnded = {
  ...onTheLine,
  Digits: "#",
  RecordingDuration: "14",
  RecordingSid: RECORDING_SID,
  RecordingUrl: RECORDING_URL,
};

/** `recordingStatusCallback`. */
export const recordingReported = {
  AccountSid: ACCOUNT_SID,
  CallSid: CALL_SID,
  ErrorCode: "0",
  RecordingChannels: "1",
  RecordingDuration: "14",
  RecordingSid: RECORDING_SID,
  RecordingSource: "RecordVerb",
  RecordingStartTime: "Wed, 04 Mar 2026 05:05:00 +0000",
  RecordingStatus: "completed",
  RecordingTrack: "both",
  RecordingUrl: RECORDING_URL,
};

/** `transcribeCallback`. */
export const transcriptionReported = {
  ...base,
  CallStatus: "completed",
  RecordingSid: RECORDING_SID,
  RecordingUrl: RECORDING_URL,
  TranscriptionSid: "TR0123456789abcdef0123456789abcdef",
  TranscriptionStatus: "completed",
  TranscriptionText: "Please call me back about the invoice.",
  TranscriptionType: "fast",
  TranscriptionUrl: `${RECORDING_URL}/Transcriptions/TR0123456789abcdef0123456789abcdef`,
};

/** A status callback of the call itself. */
export const callReported = (CallStatus: string, more: Record<string, string> = {}) => ({
  ...base,
  CallStatus,
  CallbackSource: "call-progress-events",
  SequenceNumber: "0",
  Timestamp: "Wed, 04 Mar 2026 05:05:00 +0000",
  ...more,
});

/** A status callback of a leg that the call dialled. */
export const legReported = (CallStatus: string, more: Record<string, string> = {}) => ({
  ...callReported(CallStatus),
  CallSid: CHILD_SID,
  ParentCallSid: CALL_SID,
  Called: SALES,
  To: SALES,
  Direction: "outbound-dial",
  SequenceNumber: "2",
  ...more,
});

export interface RequestOptions {
  /** With its leading `?`, as the function sees it. */
  readonly query?: string;
  /** Set, or by `undefined` left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Signs with another token. */
  readonly token?: string;
  /** Where Twilio believes to call. */
  readonly publicUrl?: string;
  readonly method?: string;
}

/**
 * A request as Twilio signs it for the public address, and as the edge runtime hands it on: over http,
 * under the runtime's own host, without `/functions/v1`.
 */
export function signedRequest(
  name: FunctionName,
  params: Params,
  options: RequestOptions = {},
): Request {
  const { query = "", token = AUTH_TOKEN, publicUrl = PUBLIC_URL, method = "POST" } = options;
  const body = new URLSearchParams(
    Symbol.iterator in params ? [...params] : { ...params },
  );
  const url = new URL(`http://edge-runtime.supabase.com/${name}${query}`);
  const headers = new Headers({
    "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
    "user-agent": "TwilioProxy/1.1",
    "x-twilio-signature": sign(`${publicUrl}/${name}${url.search}`, body, token),
  });
  for (const [header, value] of Object.entries(options.headers ?? {})) {
    if (value === undefined) headers.delete(header);
    else headers.set(header, value);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(url, { method, headers, ...(hasBody && { body: body.toString() }) });
}

/** Twilio's signature of a form that is posted to `url`. */
export function sign(url: string, form: URLSearchParams, token = AUTH_TOKEN): string {
  const params = Object.fromEntries(
    [...new Set(form.keys())].map((key) => {
      const values = form.getAll(key);
      return [key, values.length === 1 ? values[0]! : values];
    }),
  );
  return getExpectedTwilioSignature(token, url, params);
}

// --- what the functions get ---------------------------------------------------------------------------------

/** A database that accepted the event: a call to which it happened first, unless told otherwise. */
export function accepted(
  call: Partial<Extract<AcceptOutcome, { kind: "accepted" }>["call"]> = {},
  duplicate = false,
): AcceptOutcome {
  return {
    kind: "accepted",
    duplicate,
    call: { status: "in-progress", mode: "menu", consent_given: null, ...call },
  };
}

export const UNAVAILABLE: AcceptOutcome = { kind: "unavailable", reason: "TimeoutError" };
export const RATE_LIMITED: AcceptOutcome = { kind: "rate_limited" };
export const FOREIGN: AcceptOutcome = { kind: "foreign" };
export const CONFLICT: AcceptOutcome = { kind: "conflict" };
export const REFUSED: AcceptOutcome = { kind: "refused", code: "23514" };

/** The outcome of an event; or an error, which is thrown. */
export type Outcome = AcceptOutcome | Error | ((event: VoiceEvent) => AcceptOutcome);

export interface TestDeps extends Deps {
  /** The events that the function had accepted, as they go over the wire. */
  readonly events: Record<string, unknown>[];
  /** What went to the log, line by line. */
  readonly lines: string[];
}

export interface TestDepsOptions {
  readonly outcome?: Outcome;
  /** The flow that is published for every line. */
  readonly flow?: Flow;
  /** Variables beside `ENVIRONMENT`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Everything real but the database and the clock. By default the database agrees with the event. */
export function testDeps(options: TestDepsOptions = {}): TestDeps {
  const events: Record<string, unknown>[] = [];
  const lines: string[] = [];
  const flow = options.flow && publication(options.flow);
  const outcome = options.outcome ??
    ((event: VoiceEvent) =>
      accepted({
        status: event.call_status ?? "in-progress",
        mode: event.mode ?? "menu",
        consent_given: event.consent_given ?? null,
        ...(flow && event.ask?.line && { facts: { flow } }),
      }));
  return {
    ...depsFrom(testSettings(options.env)),
    ...(flow && {
      flows: () =>
        Promise.resolve(createLines({
          read: (_account, hash) => Promise.resolve(flow.hash.startsWith(hash) ? flow : null),
          shipped: () => unpack("none"),
          log: () => {},
        })),
    }),
    accept: (event) => {
      events.push(JSON.parse(JSON.stringify(event)));
      if (outcome instanceof Error) return Promise.reject(outcome);
      return Promise.resolve(typeof outcome === "function" ? outcome(event) : outcome);
    },
    log: (level, fields) => lines.push(formatLogLine(NOW, level, fields)),
    now: () => NOW,
    events,
    lines,
  };
}

/** A flow as the database gives it. */
export function publication(definition: Flow) {
  return { hash: hashOf(definition), name: "flow", version: 1, definition };
}

// --- what they answer ---------------------------------------------------------------------------------------

/** One TwiML element. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

/**
 * The verbs of a TwiML document.
 *
 * @throws where it is not well-formed XML, or no `<Response>`.
 */
export function parseTwiml(xml: string): readonly Element[] {
  const { name, children } = elementOf(parseXml(xml));
  if (name !== "Response") throw new Error(`Cannot read TwiML as its root is ${name}`);
  return children;
}

function elementOf(element: XmlElement): Element {
  const { name, attributes } = element;
  return { name, attributes, children: childrenOf(element).map(elementOf), text: textOf(element) };
}

/** The answer of a TwiML step, which is always 200 and always TwiML. */
export interface TwimlAnswer {
  readonly xml: string;
  readonly verbs: readonly Element[];
  /** The verbs in short, one string each: `Say: words`, `Dial: number`, `Gather`, ... */
  readonly outline: readonly string[];
  /** All that is spoken, a prompt inside of `<Gather>` included. */
  readonly spoken: readonly string[];
}

/**
 * Has a handler answer, and reads its TwiML.
 *
 * @throws when the answer is anything that Twilio would not play.
 */
export async function twiml(handler: Handler, request: Request): Promise<TwimlAnswer> {
  const response = await handler(request);
  const xml = await response.text();
  const type = response.headers.get("content-type");
  if (response.status !== 200 || type !== "text/xml; charset=utf-8") {
    throw new Error(`Cannot play ${response.status} ${type} as Twilio plays 200 text/xml: ${xml}`);
  }
  const verbs = parseTwiml(xml);
  return { xml, verbs, outline: verbs.map(outline), spoken: verbs.flatMap(spoken) };
}

/** What came of one request: the TwiML, and the event that the step had accepted. */
export interface StepTaken extends TwimlAnswer {
  readonly event: Record<string, unknown>;
}

/** Has a step answer one signed request. */
export async function takeStep(
  name: FunctionName,
  createHandler: (deps: Deps) => Handler,
  params: Params,
  query: string,
  options: TestDepsOptions = {},
): Promise<StepTaken> {
  const deps = testDeps(options);
  const answer = await twiml(createHandler(deps), signedRequest(name, params, { query }));
  return { ...answer, event: deps.events[0]! };
}

function outline(element: Element): string {
  const content = element.name === "Dial"
    ? element.children.map((child) => child.text).join(",")
    : element.name === "Redirect"
    ? briefPathOf(element.text)
    : element.text;
  return content === "" ? element.name : `${element.name}: ${content}`;
}

function spoken(element: Element): string[] {
  return element.name === "Say" ? [element.text] : element.children.flatMap(spoken);
}

/** A callback URL without our own base and the connection overrides. */
export function pathOf(url: string | undefined): string {
  if (url === undefined) return "";
  if (!url.startsWith(`${PUBLIC_URL}/`)) throw new Error(`Cannot follow ${url}: not one of ours`);
  return url.slice(PUBLIC_URL.length + 1).replace(/#.*$/, "");
}

/** It as most tests compare it: without where in the flow the call is, and what was heard. */
export function briefPathOf(url: string | undefined): string {
  return pathOf(url).replace(/&(disclosed|flow|node|language|repeats)=[^&]*/g, "");
}

/** The verb of a name. @throws when there is not exactly one. */
export function only(answer: TwimlAnswer, name: string): Element {
  const found = answer.verbs.filter((verb) => verb.name === name);
  if (found.length !== 1) throw new Error(`Expected one <${name}>: ${answer.xml}`);
  return found[0]!;
}
