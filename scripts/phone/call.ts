import type { Callee, Caller, DialOffer, Input, Message, Pressed, Spoke } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { Outbox } from "./outbox.ts";
import type { Delivery } from "./outbox.ts";
import type { Random } from "./random.ts";
import {
  type CallHappening,
  CallRecord,
  type CallStatus,
  type EndedBy,
  STATUS_OF_EVENT,
} from "./record.ts";
import { newSid, type Params } from "./signer.ts";
import {
  type Dial,
  type DialNumber,
  type Gather,
  type Method,
  parseTwiml,
  type ProgressEvent,
  type Prompt,
  type RecordingEvent,
  type RecordVerb,
  TwimlError,
  type Verb,
} from "./twiml.ts";
import type { Sender, Webhook } from "./webhook.ts";

/** What Twilio says when an app fails. */
export const APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye.";

/** From the first webhook until Twilio picks up; a caller may give up before. */
const SETUP_MS = 100;

export interface CallSetup {
  readonly from: string;
  readonly to: string;
  readonly caller: Caller;
  /** Milliseconds after which the caller hangs up, wherever the call is. */
  readonly hangUpAfterMs: number | undefined;
  /** Further parameters of every call webhook, such as `FromCity` or `StirVerstat`. */
  readonly params: Params;
  readonly voiceUrl: string;
  readonly fallbackUrl: string | undefined;
  readonly statusCallback: string | undefined;
  readonly statusCallbackEvents: readonly ProgressEvent[];
  readonly accountSid: string;
  readonly sender: Sender;
  readonly clock: Clock;
  readonly random: Random;
  readonly delivery: Delivery;
  readonly callees: (offer: DialOffer) => Callee | undefined;
  readonly duplicateSteps: number;
  readonly actionAfterHangUp: boolean;
  readonly msPerCharacter: number;
  readonly maxSteps: number;
  readonly onEvent:
    | ((event: CallRecord["transcript"][number], record: CallRecord) => void)
    | undefined;
  readonly onWebhook: ((webhook: Webhook, record: CallRecord) => void) | undefined;
}

interface Document {
  readonly url: string;
  readonly verbs: readonly Verb[];
}

/** After a verb: on to the next one, another document, or the call is over. */
type Next = "next" | "ended" | Document;

class CallerHungUp extends Error {
  override name = "CallerHungUp";
}

interface Leg {
  readonly sid: string;
  readonly number: DialNumber;
  readonly callee: Callee;
  readonly outcome: NonNullable<Callee["outcome"]>;
  readonly decidedAtMs: number;
  readonly happening: Extract<CallHappening, { kind: "leg" }>;
  sequence: number;
  answeredAt: Date | undefined;
}

interface Recording {
  readonly sid: string;
  readonly startedAt: Date;
  readonly source: "DialVerb" | "RecordVerb";
  readonly channels: number;
  readonly callback: string | undefined;
  readonly callbackMethod: Method;
  readonly callbackEvents: readonly RecordingEvent[];
}

/** One inbound call, from the first webhook to the last callback. */
export class Call {
  readonly record: CallRecord;
  readonly outbox: Outbox;
  readonly #setup: CallSetup;
  readonly #clock: Clock;
  readonly #hungUp = new AbortController();
  readonly #over = new AbortController();
  /** Rejects once the caller has hung up. */
  readonly #gone: Promise<never>;
  #answeredAt: Date | undefined;
  #sequence = 0;
  #steps = 0;
  #heard = 0;
  #gathers = 0;
  #dials = 0;
  #records = 0;

  constructor(setup: CallSetup) {
    this.#setup = setup;
    this.#clock = setup.clock;
    this.record = new CallRecord(newSid("CA"), setup.from, setup.to, setup.clock.now());
    this.outbox = new Outbox(
      setup.sender,
      setup.clock,
      setup.random,
      setup.delivery,
      (webhook) => this.#log(webhook),
    );
    this.#gone = new Promise((_, reject) => {
      this.#hungUp.signal.addEventListener("abort", () => reject(this.#hungUp.signal.reason));
    });
    this.#gone.catch(() => {});
  }

  /** The caller hangs up, at whatever moment this is. */
  hangUp(): void {
    this.#hungUp.abort(new CallerHungUp("The caller hung up"));
  }

  /** Resolves when the call is over; its callbacks may still be under way. */
  async run(): Promise<CallRecord> {
    const { voiceUrl, hangUpAfterMs } = this.#setup;
    this.#reportStatus("initiated");
    this.#reportStatus("ringing");
    if (hangUpAfterMs !== undefined) {
      // Not before the first webhook: Twilio sends that when the call comes in.
      this.#clock.sleep(Math.max(1, hangUpAfterMs), this.#over.signal).then(
        () => this.hangUp(),
        () => {},
      );
    }
    try {
      let next: Next = await this.#fetch(voiceUrl, "POST", { CallToken: crypto.randomUUID() });
      await this.#pass(SETUP_MS);
      // deno-lint-ignore no-await-in-loop -- one document leads to the next
      while (typeof next === "object") next = await this.#perform(next);
    } catch (error) {
      if (!(error instanceof CallerHungUp)) throw error;
      this.#end("caller");
    } finally {
      this.#over.abort();
      this.outbox.release();
    }
    // What is due at this very moment arrives before the call counts as over.
    await this.#clock.sleep(0);
    return this.record;
  }

  // ---- documents -------------------------------------------------------------------------------

  async #perform(document: Document): Promise<Next> {
    for (const verb of document.verbs) {
      if (this.#answers(verb)) this.#answer();
      // deno-lint-ignore no-await-in-loop -- verbs follow each other
      const next = await this.#verb(verb, document);
      if (next !== "next") return next;
    }
    this.#end("app");
    return "ended";
  }

  /** Source: Twilio, "TwiML Voice: Reject", "Pause" (as first verb) and "Dial: answerOnBridge". */
  #answers(verb: Verb): boolean {
    if (verb.verb === "Reject" || verb.verb === "Pause") return false;
    return !(verb.verb === "Dial" && verb.answerOnBridge);
  }

  async #verb(verb: Verb, document: Document): Promise<Next> {
    switch (verb.verb) {
      case "Say":
      case "Play":
      case "Pause": {
        const input = await this.#hear(verb, undefined);
        if (input === "hangup") return this.#leave();
        return "next";
      }
      case "Gather":
        return await this.#gather(verb, document);
      case "Dial":
        return await this.#dial(verb, document);
      case "Record":
        return await this.#record(verb, document);
      case "Redirect": {
        const url = resolve(verb.url, document.url);
        this.#happens({ kind: "redirect", url });
        return await this.#fetch(url, verb.method, {});
      }
      case "Reject":
        this.#happens({ kind: "reject", reason: verb.reason });
        // Not confirmed: that Twilio's final status of a call rejected as "rejected" is no-answer.
        this.#end("app", verb.reason === "busy" ? "busy" : "no-answer");
        return "ended";
      case "Hangup":
        this.#end("app");
        return "ended";
    }
  }

  /** Asks for the next document; a failure goes to the fallback URL or ends the call. */
  async #fetch(url: string, method: Method, params: Params, isFallback = false): Promise<Next> {
    if (++this.#steps > this.#setup.maxSteps) {
      throw new Error(
        `Cannot follow the call further as it asked for more than ${this.#setup.maxSteps} documents: the last is ${url}`,
      );
    }
    if (!isHttpUrl(url)) {
      return await this.#applicationError(11100, `"${url}" is not a URL`, url, isFallback);
    }
    // Callbacks that are due before this request arrive before it; on wall time they may overlap.
    await this.#pass(0);
    const webhook = await this.#request(url, method, params);
    this.#stillThere();
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
        this.#happens({ kind: "warning", code: 12200, message });
      }
      return { url, verbs: twiml.verbs };
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      return await this.#applicationError(error.code, error.message, url, isFallback);
    }
  }

  /** Sends a call webhook, with as many copies at once as wished: all must be answered alike. */
  async #request(url: string, method: Method, params: Params): Promise<Webhook> {
    const outgoing = {
      kind: "twiml" as const,
      url,
      method,
      params: { ...this.#callParams(), ...params },
      idempotencyToken: crypto.randomUUID(),
    };
    const copies = Array.from(
      { length: 1 + this.#setup.duplicateSteps },
      () => this.#setup.sender.send(outgoing, this.#clock, (webhook) => this.#log(webhook)),
    );
    const [first, ...others] = await Promise.all(copies) as [Webhook, ...Webhook[]];
    for (const other of others) {
      if (other.status !== first.status || other.body !== first.body) {
        throw new Error(
          `Copies of one webhook to ${first.url} were answered differently:\n` +
            `${first.status} ${first.body}\n${other.status} ${other.body}`,
        );
      }
    }
    return first;
  }

  async #applicationError(
    code: number,
    message: string,
    url: string,
    isFallback: boolean,
  ): Promise<Next> {
    const { fallbackUrl } = this.#setup;
    this.#happens({ kind: "error", code, message, url });
    if (fallbackUrl !== undefined && !isFallback) {
      this.#happens({ kind: "fallback", url: fallbackUrl });
      const params = { ErrorCode: String(code), ErrorUrl: url };
      return await this.#fetch(fallbackUrl, "POST", params, true);
    }
    this.record.applicationError = { code, message, url };
    this.#answer();
    const apology = { verb: "Say", text: APPLICATION_ERROR, loop: 1 } as const;
    await this.#hear({ ...apology, voice: undefined, language: undefined }, undefined);
    this.#end("error");
    return "ended";
  }

  // ---- prompts and input -----------------------------------------------------------------------

  /** Plays one prompt. Returns what interrupted it: input that `gather` takes, or a hang-up. */
  async #hear(
    prompt: Prompt,
    gather: Gather | undefined,
  ): Promise<Pressed | Spoke | "hangup" | undefined> {
    if (prompt.verb === "Pause") {
      this.#happens({ kind: "pause", seconds: prompt.length });
      await this.#pass(prompt.length * 1000);
      return undefined;
    }
    const gathering = gather !== undefined;
    const { durationMs, happening, heard } = this.#prompt(prompt, gathering);
    this.#happens(happening);
    const input = await this.#ask(() => this.#setup.caller.onHear?.(heard)) ?? "silence";
    if (input === "silence") {
      await this.#pass(durationMs);
      return undefined;
    }
    const atMs = input === "hangup"
      ? durationMs / 2
      : Math.min(input.afterMs ?? durationMs / 2, durationMs);
    await this.#pass(atMs);
    if (input === "hangup" || (gather && accepted(gather, input))) {
      happening.interrupted = true;
      return input;
    }
    this.#happens(
      "digits" in input
        ? { kind: "keys", digits: input.digits, lost: true }
        : { kind: "speech", text: input.speech, lost: true },
    );
    await this.#pass(durationMs - atMs);
    return undefined;
  }

  #prompt(prompt: Exclude<Prompt, { verb: "Pause" }>, gathering: boolean) {
    const nth = ++this.#heard;
    const times = Math.max(1, prompt.loop);
    if (prompt.verb === "Say") {
      const { text, voice, language } = prompt;
      const durationMs = text.length * this.#setup.msPerCharacter * times;
      return {
        durationMs,
        happening: { kind: "say" as const, text, voice, language, gathering, interrupted: false },
        heard: { text, audio: false, voice, language, nth, gathering, durationMs },
      };
    }
    const url = prompt.url;
    const durationMs = (prompt.digits === undefined ? 3000 : prompt.digits.length * 200) * times;
    return {
      durationMs,
      happening: { kind: "play" as const, url, gathering, interrupted: false },
      heard: {
        text: url,
        audio: true,
        voice: undefined,
        language: undefined,
        nth,
        gathering,
        durationMs,
      },
    };
  }

  async #gather(gather: Gather, document: Document): Promise<Next> {
    const action = resolve(gather.action ?? document.url, document.url);
    const nth = ++this.#gathers;
    this.#happens({
      kind: "gather",
      input: [
        ...(gather.dtmf ? ["dtmf" as const] : []),
        ...(gather.speech ? ["speech" as const] : []),
      ],
      action,
      numDigits: gather.numDigits,
      timeout: gather.timeout,
    });
    let input: Input | undefined;
    for (const prompt of gather.prompts) {
      // deno-lint-ignore no-await-in-loop -- prompts follow each other
      input = await this.#hear(prompt, gather);
      if (input !== undefined) break;
    }
    if (input === undefined) {
      input = await this.#ask(() => this.#setup.caller.onGather({ gather, nth })) ?? "silence";
      if (typeof input === "object") await this.#pass(input.afterMs ?? 1000);
    }
    if (input === "hangup") {
      await this.#pass(1000);
      return this.#leave();
    }
    const result = input === "silence" ? undefined : accepted(gather, input);
    if (typeof input === "object") {
      const lost = result === undefined;
      this.#happens(
        "digits" in input
          ? { kind: "keys", digits: result?.params.Digits ?? input.digits, lost }
          : { kind: "speech", text: input.speech, lost },
      );
    }
    await this.#pass((result?.waitSeconds ?? gather.timeout) * 1000);
    if (result !== undefined) return await this.#fetch(action, gather.method, result.params);
    this.#happens({ kind: "silence", during: "gather" });
    // Not confirmed: which parameters an empty result has; an empty Digits is what DTMF gathers show.
    return gather.actionOnEmptyResult
      ? await this.#fetch(action, gather.method, { msg: "Gather End", Digits: "" })
      : "next";
  }

  // ---- dial ------------------------------------------------------------------------------------

  async #dial(dial: Dial, document: Document): Promise<Next> {
    const nth = ++this.#dials;
    const callerId = dial.callerId ?? this.#setup.from;
    this.#happens({
      kind: "dial",
      number: dial.numbers[0]?.number ?? "",
      numbers: dial.numbers.map(({ number }) => number),
      record: dial.record,
      timeout: dial.timeout,
      callerId,
      action: dial.action,
    });
    const legs: Leg[] = [];
    let givesUp = false;
    for (const number of dial.numbers) {
      const offer = { dial, number: number.number, nth };
      // deno-lint-ignore no-await-in-loop -- a person answers one question after the other
      const reply = await this.#ask(() => this.#setup.caller.onDial?.(offer));
      givesUp ||= reply === "hangup";
      const callee = reply === "hangup" ? { outcome: "no-answer" as const } : reply;
      legs.push(newLeg(number, callee ?? this.#setup.callees(offer) ?? {}, dial.timeout));
    }
    const call = new DialledCall(dial, document.url, legs, callerId);
    try {
      const winner = await this.#ring(call, givesUp);
      if (winner) await this.#talk(call, winner);
    } catch (error) {
      if (!(error instanceof CallerHungUp)) throw error;
      this.#endDial(call);
      this.#end("caller");
      // Not confirmed: whether Twilio asks for the action then: an app has to bear both.
      if (dial.action !== undefined && this.#setup.actionAfterHangUp) {
        await this.#requestIgnoringAnswer(
          dial.action,
          document,
          dial.method,
          call.actionParams(this.#recordingUrl),
        );
      }
      throw error;
    }
    this.#endDial(call);
    if (dial.action === undefined) return "next";
    return await this.#fetch(
      resolve(dial.action, document.url),
      dial.method,
      call.actionParams(this.#recordingUrl),
    );
  }

  /** Rings all numbers at once until one answers, all have failed, or the caller gives up. */
  async #ring(call: DialledCall, givesUp: boolean): Promise<Leg | undefined> {
    const winner = call.legs
      .filter((leg) => leg.outcome === "answered")
      .sort((one, other) => one.decidedAtMs - other.decidedAtMs)[0];
    const moments: { atMs: number; happens: () => void }[] = call.legs.flatMap((leg) => {
      const rings = leg.outcome !== "busy" && leg.outcome !== "failed";
      return [
        { atMs: 0, happens: () => this.#legReports(call, leg, "initiated") },
        ...(rings
          ? [{
            atMs: Math.min(500, leg.decidedAtMs),
            happens: () => {
              this.#legReports(call, leg, "ringing");
              if (call.dial.record.startsWith("record-from-ringing")) {
                call.recording ??= this.#startDialRecording(call);
              }
            },
          }]
          : []),
        ...(leg === winner ? [] : [{
          atMs: leg.decidedAtMs,
          happens: () => this.#endLeg(call, leg, leg.outcome as CallStatus),
        }]),
      ];
    });
    if (givesUp) moments.push({ atMs: call.dial.timeout * 500, happens: () => this.#leave() });
    let elapsedMs = 0;
    for (const { atMs, happens } of moments.sort((one, other) => one.atMs - other.atMs)) {
      if (winner && atMs > winner.decidedAtMs) break;
      // deno-lint-ignore no-await-in-loop -- moments follow each other
      await this.#pass(atMs - elapsedMs);
      elapsedMs = atMs;
      happens();
    }
    if (winner) await this.#pass(winner.decidedAtMs - elapsedMs);
    return winner;
  }

  async #talk(call: DialledCall, leg: Leg): Promise<void> {
    for (const other of call.legs) if (other !== leg) this.#endLeg(call, other, "canceled");
    call.bridged = leg;
    leg.answeredAt = this.#clock.now();
    this.#answer();
    this.#legReports(call, leg, "answered");
    if (call.dial.record !== "do-not-record") {
      call.recording ??= this.#startDialRecording(call);
    }
    const seconds = leg.callee.talkSeconds ?? 20;
    await this.#pass(Math.min(seconds, call.dial.timeLimit) * 1000);
    if (seconds > call.dial.timeLimit) return;
    const endedBy = leg.callee.endedBy ?? "callee";
    if (endedBy === "caller") this.#leave();
    if (endedBy === "star") {
      this.#happens({ kind: "keys", digits: "*", lost: !call.dial.hangupOnStar });
    }
  }

  #startDialRecording({ dial, documentUrl }: DialledCall): Recording {
    return this.#startRecording({
      source: "DialVerb",
      channels: dial.record.endsWith("-dual") ? 2 : 1,
      callback: dial.recordingStatusCallback && resolve(dial.recordingStatusCallback, documentUrl),
      callbackMethod: dial.recordingStatusCallbackMethod,
      callbackEvents: dial.recordingStatusCallbackEvents,
    });
  }

  /** However it ended: each leg gets its final status, a recording its callback. */
  #endDial(call: DialledCall): void {
    for (const leg of call.legs) {
      this.#endLeg(call, leg, leg === call.bridged ? "completed" : "canceled");
    }
    if (call.bridged?.answeredAt) {
      call.talkSeconds = secondsBetween(call.bridged.answeredAt, this.#clock.now());
      // Not confirmed what Twilio keeps of a record-from-ringing that nobody answered: nothing here.
      if (call.recording) {
        const seconds = secondsBetween(call.recording.startedAt, this.#clock.now());
        this.#finishRecording(call.recording, seconds);
      }
    }
    this.#happens({ kind: "dialled", status: call.status, talkSeconds: call.talkSeconds });
  }

  /** Once only: a leg that is over stays as it is. */
  #endLeg(call: DialledCall, leg: Leg, status: CallStatus): void {
    if (!OPEN.has(leg.happening.status)) return;
    leg.happening.status = status;
    call.lastStatus = status;
    call.lastLeg = leg;
    this.#legReports(call, leg, "completed");
  }

  #legReports(call: DialledCall, leg: Leg, event: ProgressEvent): void {
    if (event === "initiated") this.#happens(leg.happening);
    if (event !== "completed") leg.happening.status = STATUS_OF_EVENT[event];
    const { number } = leg;
    if (number.statusCallback === undefined) return;
    if (!number.statusCallbackEvents.includes(event)) return;
    const seconds = leg.answeredAt ? secondsBetween(leg.answeredAt, this.#clock.now()) : 0;
    const url = resolve(number.statusCallback, call.documentUrl);
    this.#callback("status", url, number.statusCallbackMethod, {
      AccountSid: this.#setup.accountSid,
      ApiVersion: "2010-04-01",
      CallSid: leg.sid,
      ParentCallSid: this.record.callSid,
      CallStatus: leg.happening.status,
      Direction: "outbound-dial",
      From: call.callerId,
      Caller: call.callerId,
      To: number.number,
      Called: number.number,
      ...this.#progress(leg.sequence++),
      ...(event === "completed" && durations(seconds)),
    });
  }

  // ---- record ----------------------------------------------------------------------------------

  async #record(verb: RecordVerb, document: Document): Promise<Next> {
    const nth = ++this.#records;
    const { maxLength, transcribe, playBeep } = verb;
    this.#happens({ kind: "record", maxLength, transcribe, playBeep });
    const reply = await this.#ask(() => this.#setup.caller.onRecord?.({ record: verb, nth }));
    if (playBeep) await this.#pass(500);
    if (reply === "hangup") return this.#leave();
    const message: Message = reply === "silence" ? { seconds: 0 } : reply ?? { seconds: 8 };
    if (message.seconds === 0) {
      // Nothing was said: no recording is kept and no action requested, the next verb follows.
      await this.#pass(Math.min(verb.timeout, maxLength) * 1000);
      this.#happens({ kind: "silence", during: "record" });
      return "next";
    }
    const recording = this.#startRecording({
      source: "RecordVerb",
      channels: 1,
      callback: verb.recordingStatusCallback &&
        resolve(verb.recordingStatusCallback, document.url),
      callbackMethod: verb.recordingStatusCallbackMethod,
      callbackEvents: verb.recordingStatusCallbackEvents,
    });
    const action = verb.action ?? document.url;
    const keep = (seconds: number) =>
      this.#keepMessage(verb, message, recording, seconds, document);
    let digits: Params;
    try {
      digits = await this.#leaveMessage(verb, message);
    } catch (error) {
      if (!(error instanceof CallerHungUp)) throw error;
      const spokenSeconds = secondsBetween(recording.startedAt, this.#clock.now());
      const params = { ...keep(Math.min(spokenSeconds, message.seconds)), Digits: "hangup" };
      this.#end("caller");
      await this.#requestIgnoringAnswer(action, document, verb.method, params);
      throw error;
    }
    const seconds = message.end === "maxlength" ? verb.maxLength : message.seconds;
    // Not confirmed: whether Digits is absent or empty when silence or the length ended it.
    const params = { ...keep(Math.min(seconds, verb.maxLength)), ...digits };
    return await this.#fetch(resolve(action, document.url), verb.method, params);
  }

  /** Speaks until something ends it. Returns the key, if one did. */
  async #leaveMessage(verb: RecordVerb, message: Message): Promise<Params> {
    const end = message.end ?? "hangup";
    if (end === "maxlength" || message.seconds >= verb.maxLength) {
      await this.#pass(verb.maxLength * 1000);
      return {};
    }
    await this.#pass(message.seconds * 1000);
    if (end === "hangup") this.#leave();
    if (end !== "silence") {
      const lost = !verb.finishOnKey.includes(end);
      this.#happens({ kind: "keys", digits: end, lost });
      if (!lost) return { Digits: end };
    }
    await this.#pass(verb.timeout * 1000);
    return {};
  }

  /** The recording and, if asked for, its transcription are reported later. Returns action params. */
  #keepMessage(
    verb: RecordVerb,
    message: Message,
    recording: Recording,
    seconds: number,
    document: Document,
  ): Params {
    const whole = Math.max(1, Math.round(seconds));
    this.#finishRecording(recording, whole);
    const { transcription = "completed", transcript = "" } = message;
    const params = {
      RecordingSid: recording.sid,
      RecordingUrl: this.#recordingUrl(recording),
    };
    const heardEnough = whole > 2 && whole < 120;
    if (verb.transcribe && verb.transcribeCallback && heardEnough && transcription !== "never") {
      const sid = newSid("TR");
      const url = resolve(verb.transcribeCallback, document.url);
      this.#callback("transcription", url, "POST", {
        ...this.#callParams(),
        // Transcribing takes longer than most calls go on after their recording.
        CallStatus: "completed",
        ...params,
        TranscriptionSid: sid,
        TranscriptionStatus: transcription,
        TranscriptionText: transcription === "completed" ? transcript : "",
        TranscriptionType: "fast",
        TranscriptionUrl: `${params.RecordingUrl}/Transcriptions/${sid}`,
      }, 5000);
    }
    return { ...params, RecordingDuration: String(whole) };
  }

  #startRecording(of: Omit<Recording, "sid" | "startedAt">): Recording {
    const recording = { ...of, sid: newSid("RE"), startedAt: this.#clock.now() };
    this.#reportRecording(recording, "in-progress", {});
    return recording;
  }

  #finishRecording(recording: Recording, seconds: number): void {
    const { source, sid } = recording;
    this.#happens({ kind: "recorded", source, sid, seconds });
    if (seconds === 0) {
      return this.#reportRecording(recording, "absent", { RecordingDuration: "0" });
    }
    this.#reportRecording(recording, "completed", { RecordingDuration: String(seconds) }, 1000);
  }

  #reportRecording(
    recording: Recording,
    event: RecordingEvent,
    params: Params,
    afterMs = 0,
  ): void {
    const { callback, callbackMethod, callbackEvents } = recording;
    if (callback === undefined || !callbackEvents.includes(event)) return;
    this.#callback("recording", callback, callbackMethod, {
      AccountSid: this.#setup.accountSid,
      CallSid: this.record.callSid,
      RecordingSid: recording.sid,
      RecordingUrl: this.#recordingUrl(recording),
      RecordingStatus: event,
      RecordingChannels: String(recording.channels),
      RecordingSource: recording.source,
      RecordingTrack: "both",
      RecordingStartTime: rfc2822(recording.startedAt),
      ErrorCode: "0",
      ...params,
    }, afterMs);
  }

  readonly #recordingUrl = ({ sid }: Recording): string =>
    `https://api.twilio.com/2010-04-01/Accounts/${this.#setup.accountSid}/Recordings/${sid}`;

  // ---- the line --------------------------------------------------------------------------------

  #answer(): void {
    if (this.#answeredAt !== undefined) return;
    this.#answeredAt = this.#clock.now();
    this.record.status = "in-progress";
    this.#reportStatus("answered");
  }

  /**
   * The first end counts.
   *
   * @param unanswered the final status of a call that nobody answered. Not confirmed: that a caller
   * who gives up before the answer leaves `no-answer` behind.
   */
  #end(by: EndedBy, unanswered: CallStatus = "no-answer"): void {
    if (this.record.endedBy !== undefined) return;
    this.record.endedBy = by;
    this.record.status = this.#answeredAt ? "completed" : unanswered;
    if (this.#answeredAt) {
      this.record.durationSeconds = secondsBetween(this.#answeredAt, this.#clock.now());
    }
    this.#happens({ kind: "hangup", by });
    this.#reportStatus("completed");
  }

  #leave(): never {
    this.hangUp();
    throw this.#hungUp.signal.reason;
  }

  #stillThere(): void {
    this.#hungUp.signal.throwIfAborted();
  }

  /** Time passes on the line, unless the caller hangs up before. */
  async #pass(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#hungUp.signal);
  }

  /** Virtual time waits for the caller's answer; a hang-up does not. */
  async #ask<T>(question: () => T | Promise<T>): Promise<T> {
    this.#stillThere();
    return await this.#clock.during(() => Promise.race([question(), this.#gone]));
  }

  /** Source: Twilio, "TwiML for Programmable Voice: request parameters". */
  #callParams(): Params {
    const { from, to, accountSid, params } = this.#setup;
    return {
      AccountSid: accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.record.callSid,
      CallStatus: this.record.status,
      Direction: "inbound",
      From: from,
      Caller: from,
      To: to,
      Called: to,
      ...params,
    };
  }

  /** The number's own status callback. */
  #reportStatus(event: ProgressEvent): void {
    const { statusCallback, statusCallbackEvents } = this.#setup;
    if (statusCallback === undefined || !statusCallbackEvents.includes(event)) return;
    this.#callback("status", statusCallback, "POST", {
      ...this.#callParams(),
      ...(event !== "completed" && { CallStatus: STATUS_OF_EVENT[event] }),
      ...this.#progress(this.#sequence++),
      ...(event === "completed" && durations(this.record.durationSeconds)),
    });
  }

  #progress(sequence: number): Params {
    return {
      CallbackSource: "call-progress-events",
      SequenceNumber: String(sequence),
      Timestamp: rfc2822(this.#clock.now()),
    };
  }

  #callback(
    kind: "status" | "recording" | "transcription",
    url: string,
    method: Method,
    params: Params,
    afterMs = 0,
  ): void {
    this.outbox.post({ kind, url, method, params }, afterMs);
  }

  /** The caller is gone: the app is told, what it answers has nobody to reach. */
  async #requestIgnoringAnswer(
    action: string,
    document: Document,
    method: Method,
    params: Params,
  ): Promise<void> {
    await this.#clock.sleep(0);
    await this.#request(resolve(action, document.url), method, params);
  }

  #happens(happening: CallHappening): void {
    const atMs = this.#clock.now().getTime() - this.record.startedAt.getTime();
    const event = Object.assign(happening, { atMs });
    this.record.transcript.push(event);
    this.#setup.onEvent?.(event, this.record);
  }

  #log(webhook: Webhook): void {
    this.record.webhooks.push(webhook);
    this.#setup.onWebhook?.(webhook, this.record);
  }
}

/** What a `<Dial>` in progress has come to. */
class DialledCall {
  bridged: Leg | undefined = undefined;
  recording: Recording | undefined = undefined;
  talkSeconds = 0;
  lastStatus: CallStatus = "failed";
  lastLeg: Leg | undefined = undefined;

  constructor(
    readonly dial: Dial,
    readonly documentUrl: string,
    readonly legs: readonly Leg[],
    readonly callerId: string,
  ) {}

  get status(): CallStatus {
    return this.bridged ? "completed" : this.lastStatus;
  }

  /** Source: Twilio, "TwiML Voice: Dial: action". */
  actionParams(recordingUrl: (recording: Recording) => string): Params {
    const leg = this.bridged ?? this.lastLeg;
    return {
      DialCallStatus: this.status,
      ...(leg && { DialCallSid: leg.sid }),
      DialBridged: String(this.bridged !== undefined),
      ...(this.bridged && { DialCallDuration: String(this.talkSeconds) }),
      ...(this.bridged && this.recording && { RecordingUrl: recordingUrl(this.recording) }),
    };
  }
}

const OPEN: ReadonlySet<CallStatus> = new Set(["queued", "initiated", "ringing", "in-progress"]);

function newLeg(number: DialNumber, callee: Callee, ringTimeoutSeconds: number): Leg {
  const wished = callee.outcome ?? "answered";
  const ringSeconds = callee.ringSeconds ??
    (wished === "answered" ? 4 : wished === "no-answer" ? Infinity : 1);
  const inTime = wished !== "no-answer" && ringSeconds < ringTimeoutSeconds;
  const sid = newSid("CA");
  return {
    sid,
    number,
    callee,
    outcome: inTime ? wished : "no-answer",
    decidedAtMs: Math.min(ringSeconds, ringTimeoutSeconds) * 1000,
    happening: { kind: "leg", sid, number: number.number, status: "queued" },
    sequence: 0,
    answeredAt: undefined,
  };
}

/**
 * What a gather makes of input: the parameters of its action, and how long it still waits for more.
 * Undefined when it does not listen to this kind, or nothing is left of it: a finishing key counts
 * only behind another one.
 */
function accepted(
  gather: Gather,
  input: Pressed | Spoke,
): { params: Record<string, string>; waitSeconds: number } | undefined {
  if ("speech" in input) {
    if (!gather.speech || input.speech === "") return undefined;
    const confidence = input.confidence === undefined ? 0.9 : input.confidence;
    const params = {
      SpeechResult: input.speech,
      ...(confidence !== null && { Confidence: String(confidence) }),
    };
    return { params, waitSeconds: gather.speechTimeout };
  }
  if (!gather.dtmf) return undefined;
  let digits = "";
  let finishedOnKey = "";
  for (const key of input.digits.replace(/[^0-9*#]/g, "")) {
    if (!gather.finishOnKey.includes(key)) digits += key;
    else if (digits !== "") finishedOnKey = key;
    if (finishedOnKey !== "" || digits.length === gather.numDigits) break;
  }
  if (digits === "") return undefined;
  const done = finishedOnKey !== "" || digits.length === gather.numDigits;
  const params = { msg: "Gather End", Digits: digits, FinishedOnKey: finishedOnKey };
  return { params, waitSeconds: done ? 0 : gather.timeout };
}

/** An attribute's URL against that of its document; what cannot be resolved stays as it is. */
function resolve(url: string, documentUrl: string): string {
  return URL.canParse(url, documentUrl) ? new URL(url, documentUrl).href : url;
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
}

function secondsBetween(start: Date, end: Date): number {
  return Math.round((end.getTime() - start.getTime()) / 1000);
}

/** `CallDuration` in seconds, `Duration` in minutes begun. */
function durations(seconds: number): Params {
  return { CallDuration: String(seconds), Duration: String(Math.ceil(seconds / 60)) };
}

function rfc2822(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}
