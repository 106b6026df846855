import type { Call } from "./call.ts";
import type { CallStatus } from "./call_record.ts";
import { type Callee, personAt, type Telephone } from "./caller.ts";
import { Leg, PersonHungUp } from "./leg.ts";
import { gather } from "./gather.ts";
import { play } from "./prompt.ts";
import { letRing } from "./ringing.ts";
import { Recording } from "./recording.ts";
import type { Params } from "./signer.ts";
import { fetchDocument } from "./document.ts";
import { CallerHungUp, type DocumentRequest, Interruption } from "./interruption.ts";
import { type Dial, type DialNumber, resolveUrl, TwimlError, type Verb } from "./twiml.ts";

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
  const ringing = (number: DialNumber): Ringing => {
    const leg = new Leg(call, { number, callerId, timeout: verb.timeout, documentUrl });
    return {
      leg,
      async decide() {
        if (!accepted) return { outcome: "failed", ringSeconds: 0 };
        const telephone = call.setup.telephones(leg.offer);
        this.telephone = telephone;
        if (telephone) return await call.ask(() => telephone.onRing?.(leg.offer)) ?? {};
        const offer = { dial: verb, number: number.number, nth };
        const reply = await call.ask((caller) => caller.onDial?.(offer));
        if (reply !== "hangup") return reply ?? call.setup.callees(offer) ?? {};
        // The caller gives up while it rings.
        call.pass(verb.timeout * 500).then(() => call.hangUp(), () => {});
        return { outcome: "no-answer" };
      },
    };
  };
  try {
    let winner: Answered | undefined;
    for (const numbers of verb.sequential ? verb.numbers.map((one) => [one]) : [verb.numbers]) {
      // deno-lint-ignore no-await-in-loop -- the next ones ring when these have failed
      winner = await dialled.ring(numbers.map(ringing));
      if (winner !== undefined) break;
    }
    if (winner !== undefined && await dialled.screen(winner)) {
      await dialled.talk(winner.leg, winner.callee);
    }
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

/** A number that rings, and how it is found out what becomes of it. */
interface Ringing {
  readonly leg: Leg;
  /** Whose it is; undefined: a person of data. */
  telephone?: Telephone | undefined;
  decide(): Promise<Callee>;
}

interface Answered {
  readonly leg: Leg;
  readonly callee: Callee;
  readonly telephone: Telephone;
}

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
  async ring(all: readonly Ringing[]): Promise<Answered | undefined> {
    const answered = Promise.withResolvers<Answered>();
    const over = new AbortController();
    for (const { leg } of all) {
      this.#legs.push(leg);
      leg.initiate();
    }
    const rung = all.map(async (each) => {
      const { leg } = each;
      const onRinging = () => {
        leg.ring();
        if (this.#verb.record.startsWith("record-from-ringing")) this.#startRecording();
      };
      const { outcome, callee } = await letRing(
        this.#call,
        () => each.decide(),
        this.#verb.timeout,
        onRinging,
        over.signal,
      );
      if (outcome !== "answered") return void this.#endLeg(leg, outcome);
      answered.resolve({ leg, callee, telephone: each.telephone ?? personAt(callee) });
      over.abort(new Error("Another telephone was answered"));
    });
    const none = Promise.allSettled(rung).then((results) => {
      const failed = results.find(({ status }) => status === "rejected");
      if (failed?.status === "rejected" && !over.signal.aborted) throw failed.reason;
    });
    // The caller who hangs up does not wait for what the others decide.
    const winner = await this.#call.until(Promise.race([answered.promise, none]));
    none.catch(() => {});
    return winner ?? undefined;
  }

  /**
   * The first that answers ends the ringing of the others, and hears what its number's `url` says. @returns whether the two
   * are connected: a document that ends without a `<Hangup>` connects them; a failing one does not [?].
   */
  async screen({ leg, telephone }: Answered): Promise<boolean> {
    for (const other of this.#legs) if (other !== leg) this.#endLeg(other, "canceled");
    leg.answer(telephone);
    let asks = leg.screening;
    try {
      while (asks !== undefined) {
        // deno-lint-ignore no-await-in-loop -- one document leads to the next
        const next = await this.#whisper(leg, asks);
        if (next === "hangup") return leg.leave();
        asks = next;
      }
    } catch (error) {
      if (!(error instanceof PersonHungUp)) throw error;
      this.#endLeg(leg, "completed");
      return false;
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
    for (const verb of verbs) {
      if (verb.verb === "Say" || verb.verb === "Play" || verb.verb === "Pause") {
        // deno-lint-ignore no-await-in-loop -- verbs follow each other
        if (await play(leg, verb) === "hangup") return "hangup";
      } else if (verb.verb === "Gather") {
        // deno-lint-ignore no-await-in-loop
        const next = await gather(leg, verb, url);
        if (next !== "next") return { ...next, params: { ...leg.params, ...next.params } };
      } else {
        return "hangup";
      }
    }
    return undefined;
  }

  async talk(leg: Leg, callee: Callee): Promise<void> {
    const { record, timeLimit, hangupOnStar } = this.#verb;
    this.#bridged = leg;
    this.#call.answer();
    if (record !== "do-not-record") this.#startRecording();
    let { talkSeconds = 20, endedBy = "callee" } = callee;
    this.#call.happens({ kind: "talking", number: leg.record.to });
    try {
      ({ talkSeconds = talkSeconds, endedBy = endedBy } = await leg.ask((person) =>
        person.onTalk?.()
      ) ?? {});
      await this.#call.talk(Math.min(talkSeconds, timeLimit), hangupOnStar, leg.hungUp);
    } catch (error) {
      if (!(error instanceof PersonHungUp)) throw error;
      return;
    }
    if (talkSeconds > timeLimit) return;
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
