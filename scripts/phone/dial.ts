import type { Call } from "./call.ts";
import type { CallStatus } from "./call_record.ts";
import { Leg } from "./leg.ts";
import { Recording } from "./recording.ts";
import type { Params } from "./signer.ts";
import { fetchDocument } from "./document.ts";
import { CallerHungUp, type DocumentRequest, Interruption } from "./interruption.ts";
import {
  type Dial,
  type DialNumber,
  type Prompt,
  resolveUrl,
  TwimlError,
  type Verb,
} from "./twiml.ts";

/** Dials, connects the two, and reports the outcome to the action. */
export async function dial(
  call: Call,
  verb: Dial,
  documentUrl: string,
): Promise<DocumentRequest | "next"> {
  const callerId = verb.callerId ?? call.setup.from;
  const accepted = isCallerId(callerId, call.setup);
  call.happens({
    kind: "dial",
    number: verb.numbers[0]?.number ?? "",
    numbers: verb.numbers.map(({ number }) => number),
    record: verb.record,
    timeout: verb.timeout,
    callerId,
    action: verb.action,
  });
  const nth = call.record.all("dial").length;
  const dialled = new DialledCall(call, verb, documentUrl);
  const legOf = async (number: DialNumber) => {
    const offer = { dial: verb, number: number.number, nth };
    const reply = await call.ask((caller) => caller.onDial?.(offer));
    const callee = reply === "hangup" ? { outcome: "no-answer" as const } : reply;
    const leg = new Leg(call, {
      number,
      callee: accepted
        ? callee ?? call.setup.callees(offer) ?? {}
        : { outcome: "failed", ringSeconds: 0 },
      callerId,
      timeout: verb.timeout,
      documentUrl,
    });
    return { leg, givesUp: reply === "hangup" };
  };
  try {
    let winner: Leg | undefined;
    for (const numbers of verb.sequential ? verb.numbers.map((one) => [one]) : [verb.numbers]) {
      const legs: Leg[] = [];
      let givesUp = false;
      for (const number of numbers) {
        // deno-lint-ignore no-await-in-loop -- a person answers one question after the other
        const offered = await legOf(number);
        legs.push(offered.leg);
        givesUp ||= offered.givesUp;
      }
      // deno-lint-ignore no-await-in-loop -- the next ones ring when these have failed
      winner = await dialled.ring(legs, givesUp);
      if (winner !== undefined) break;
    }
    if (winner !== undefined && await dialled.screen(winner)) await dialled.talk(winner);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    dialled.end();
    // Redirected by REST: the action is not asked [?].
    if (!(error instanceof CallerHungUp)) throw error;
    call.end(error.by);
    const { action } = dialled;
    // Not confirmed: whether Twilio requests the action then. An app must work either way.
    if (action && call.setup.actionAfterHangUp) await call.requestIgnoringAnswer(action);
    throw error;
  }
  dialled.end();
  return dialled.action ?? "next";
}

/**
 * Whether a leg under this caller id gets through: one that is no number, withheld ones included, is refused by the
 * callee's network, and Twilio takes no number in its place but the caller's and the called one. (Numbers that were
 * verified with Twilio, which it takes too, are unknown here.) Source: https://www.twilio.com/docs/api/errors/13214
 */
function isCallerId(callerId: string, { from, to }: { from: string; to: string }): boolean {
  return /^\+[1-9]\d{9,14}$/.test(callerId) && (callerId === from || callerId === to);
}

/** What a `<Number url>` may answer. Source: https://www.twilio.com/docs/voice/twiml/number#attributes-url */
const WHISPERED: ReadonlySet<string> = new Set(["Say", "Play", "Pause", "Gather", "Hangup"]);

/** The progress of a `<Dial>`. */
class DialledCall {
  readonly #call: Call;
  readonly #verb: Dial;
  readonly #documentUrl: string;
  readonly #legs: Leg[] = [];
  #bridged: Leg | undefined;
  #lastEnded: Leg | undefined;
  #recording: Recording | undefined;
  #talkSeconds = 0;

  constructor(call: Call, verb: Dial, documentUrl: string) {
    this.#call = call;
    this.#verb = verb;
    this.#documentUrl = documentUrl;
  }

  /** Rings numbers at once until one answers, all have failed, or the caller gives up. */
  async ring(legs: readonly Leg[], givesUp: boolean): Promise<Leg | undefined> {
    this.#legs.push(...legs);
    const winner = legs
      .filter((leg) => leg.outcome === "answered")
      .sort((one, other) => one.decidedAtMs - other.decidedAtMs)[0];
    const moments: { atMs: number; happens: () => void }[] = [];
    for (const leg of legs) {
      moments.push({ atMs: 0, happens: () => leg.initiate() });
      if (leg.outcome !== "busy" && leg.outcome !== "failed") {
        const ring = () => {
          leg.ring();
          if (this.#verb.record.startsWith("record-from-ringing")) this.#startRecording();
        };
        moments.push({ atMs: Math.min(500, leg.decidedAtMs), happens: ring });
      }
      const { outcome } = leg;
      // Numbers that answer later than another are canceled when those two talk.
      if (outcome !== "answered") {
        moments.push({ atMs: leg.decidedAtMs, happens: () => this.#endLeg(leg, outcome) });
      }
    }
    if (givesUp) {
      moments.push({ atMs: this.#verb.timeout * 500, happens: () => this.#call.leave() });
    }
    let elapsedMs = 0;
    for (const { atMs, happens } of moments.sort((one, other) => one.atMs - other.atMs)) {
      if (winner && atMs > winner.decidedAtMs) break;
      // deno-lint-ignore no-await-in-loop -- moments follow each other
      await this.#call.pass(atMs - elapsedMs);
      elapsedMs = atMs;
      happens();
    }
    if (winner) await this.#call.pass(winner.decidedAtMs - elapsedMs);
    return winner;
  }

  /**
   * The first that answers ends the ringing of the others, and hears what its number's `url` says. @returns whether the two
   * are connected: a document that ends without a `<Hangup>` connects them; a failing one does not [?].
   */
  async screen(leg: Leg): Promise<boolean> {
    for (const other of this.#legs) if (other !== leg) this.#endLeg(other, "canceled");
    leg.answer();
    let asks = leg.screening;
    while (asks !== undefined) {
      // deno-lint-ignore no-await-in-loop -- one document leads to the next
      const next = await this.#whisper(leg, asks);
      if (next === "hangup") {
        this.#endLeg(leg, "completed");
        return false;
      }
      asks = next;
    }
    return true;
  }

  /** Carries out a document on the called person's side; the caller hears it ring. */
  async #whisper(
    leg: Leg,
    { url, method, params }: DocumentRequest,
  ): Promise<DocumentRequest | "hangup" | undefined> {
    let verbs: readonly Verb[];
    try {
      ({ verbs } = await fetchDocument(this.#call, { url, method, params }, WHISPERED));
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      this.#call.happens({ kind: "error", code: error.code, message: error.message, url });
      return "hangup";
    }
    const hear = async (prompt: Prompt) => {
      if (prompt.verb === "Pause") return await this.#call.pass(prompt.length * 1000);
      const text = prompt.verb === "Say" ? prompt.text : prompt.url;
      this.#call.happens({ kind: "whisper", sid: leg.sid, text });
      await this.#call.pass(text.length * this.#call.setup.msPerCharacter);
    };
    for (const verb of verbs) {
      if (verb.verb === "Say" || verb.verb === "Play" || verb.verb === "Pause") {
        // deno-lint-ignore no-await-in-loop -- verbs follow each other
        await hear(verb);
      } else if (verb.verb === "Gather") {
        // deno-lint-ignore no-await-in-loop
        for (const prompt of verb.prompts) await hear(prompt);
        const digits = (leg.callee.presses ?? "1").slice(0, verb.numDigits);
        // deno-lint-ignore no-await-in-loop
        await this.#call.pass((digits === "" ? verb.timeout : 1) * 1000);
        if (digits === "" && !verb.actionOnEmptyResult) continue;
        return {
          url: resolveUrl(verb.action ?? url, url),
          method: verb.method,
          params: { ...leg.params, Digits: digits },
        };
      } else {
        return "hangup";
      }
    }
    return undefined;
  }

  async talk(leg: Leg): Promise<void> {
    const { record, timeLimit, hangupOnStar } = this.#verb;
    this.#bridged = leg;
    this.#call.answer();
    if (record !== "do-not-record") this.#startRecording();
    const seconds = leg.callee.talkSeconds ?? 20;
    await this.#call.pass(Math.min(seconds, timeLimit) * 1000);
    if (seconds > timeLimit) return;
    const endedBy = leg.callee.endedBy ?? "callee";
    if (endedBy === "caller") this.#call.leave();
    if (endedBy === "star") this.#call.happens({ kind: "keys", digits: "*", lost: !hangupOnStar });
  }

  /** However it ended: each leg gets its final status, a recording its callback. */
  end(): void {
    for (const leg of this.#legs) {
      if (leg === this.#bridged) this.#endLeg(leg, "completed", this.#recording?.params);
      else this.#endLeg(leg, "canceled");
    }
    if (this.#bridged) {
      this.#talkSeconds = this.#bridged.talkSeconds;
      // Not confirmed: whether Twilio keeps a record-from-ringing recording of an unanswered dial. Here it keeps none.
      this.#recording?.finish(this.#recording.elapsed);
    }
    this.#call.happens({ kind: "dialled", status: this.#status, talkSeconds: this.#talkSeconds });
  }

  /** Source: Twilio, "TwiML Voice: Dial: action". */
  get action(): DocumentRequest | undefined {
    const { action, method } = this.#verb;
    if (action === undefined) return undefined;
    const leg = this.#bridged ?? this.#lastEnded;
    const params: Params = {
      DialCallStatus: this.#status,
      ...(leg && { DialCallSid: leg.sid }),
      DialBridged: String(this.#bridged !== undefined),
      ...(this.#bridged && { DialCallDuration: String(this.#talkSeconds) }),
      ...(this.#bridged && this.#recording && { RecordingUrl: this.#recording.url }),
    };
    return { url: resolveUrl(action, this.#documentUrl), method, params };
  }

  get #status(): CallStatus {
    return this.#bridged ? "completed" : this.#lastEnded?.status ?? "failed";
  }

  #endLeg(leg: Leg, status: CallStatus, recording?: Params): void {
    if (leg.end(status, recording)) this.#lastEnded = leg;
  }

  #startRecording(): void {
    this.#recording ??= new Recording(this.#call, {
      source: "DialVerb",
      channels: this.#verb.record.endsWith("-dual") ? 2 : 1,
      verb: this.#verb,
      documentUrl: this.#documentUrl,
    });
  }
}
