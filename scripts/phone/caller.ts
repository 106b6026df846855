import type { Clock } from "./clock.ts";
import type { Dial, Gather, RecordVerb } from "./twiml.ts";

/** One piece of speech or audio, as the caller hears it. */
export interface Heard {
  /** The words; of audio, its URL. */
  readonly text: string;
  readonly audio: boolean;
  readonly voice: string | undefined;
  readonly language: string | undefined;
  /** Counts what this caller heard on this call, from 1. */
  readonly nth: number;
  /** Within a `<Gather>`: only here do keys and words interrupt. */
  readonly gathering: boolean;
  /** How long it takes on the call's timeline. */
  readonly durationMs: number;
}

/** Keys as on a keypad, `0-9 * #`; `afterMs` from the beginning of what was heard or asked. */
export interface Pressed {
  readonly digits: string;
  readonly afterMs?: number;
}

export interface Spoke {
  readonly speech: string;
  /** 0 to 1, default 0.9; null leaves `Confidence` out, as Twilio may. */
  readonly confidence?: number | null;
  readonly afterMs?: number;
}

export type Input = Pressed | Spoke | "silence" | "hangup";

/** A `<Gather>` that waits for input: its prompts have been heard. */
export interface GatherOffer {
  readonly gather: Gather;
  /** Counts the gathers of this call, from 1. */
  readonly nth: number;
}

/** How a person who is rung behaves. */
export interface Callee {
  /** Default `answered`. */
  readonly outcome?: "answered" | "busy" | "no-answer" | "failed" | "canceled";
  /** Seconds until that shows; default: 4 answered, 1 otherwise, all of the ring time no-answer. */
  readonly ringSeconds?: number;
  /** Seconds of conversation, default 20. */
  readonly talkSeconds?: number;
  /**
   * Keys that the person presses when asked before being connected (`<Number url>`), default `1`; empty: none, as a
   * voicemail box does.
   */
  readonly presses?: string;
  /** Who ends the conversation, default the callee; `star`: the caller presses *. */
  readonly endedBy?: "callee" | "caller" | "star";
  /**
   * What machine detection makes of a call by REST, in the word of `DetectMessageEnd`; default `human`.
   * Source: https://www.twilio.com/docs/voice/answering-machine-detection
   */
  readonly answeredBy?: AnsweredBy;
  /** When it does, in seconds after the answer; default: by the thresholds that Twilio documents. */
  readonly detectedSeconds?: number;
  /** Of a call by REST: hangs up so many seconds after the answer. Default: never. */
  readonly staysSeconds?: number;
}

export type AnsweredBy =
  | "human"
  | "fax"
  | "unknown"
  | "machine_start"
  | "machine_end_beep"
  | "machine_end_silence"
  | "machine_end_other";

/** A telephone that rings: for a call by REST, or as a number of a `<Dial>`. */
export interface RingOffer {
  readonly callSid: string;
  readonly to: string;
  /** The number that shows. */
  readonly from: string;
  /** Seconds that it rings at most. */
  readonly timeout: number;
  /** Whether Twilio is to tell a person from a machine. Default: no. */
  readonly detects?: boolean;
  /** The timeline of the call. */
  readonly clock: Clock;
  /** Aborted once it neither rings nor is connected any more. */
  readonly over: AbortSignal;
  /** The person hangs up now. */
  hangUp(): void;
  /** Presses a key while connected; only a call of its own listens, for `*`. */
  press(key: string): void;
}

/** A person whom the app calls: what a caller is, once the telephone is picked up. */
export interface Telephone extends Caller {
  /** Default: answers after 4 s. An answer that comes later counts from when it comes: leave `ringSeconds` 0 then. */
  onRing?(offer: RingOffer): Maybe<Callee>;
}

/** The person that a callee describes: presses the same keys at every gather. */
export function personAt(callee: Callee): Telephone {
  const presses = callee.presses ?? "1";
  return {
    onRing: () => callee,
    onGather: () => presses === "" ? "silence" : { digits: presses },
    onTalk: () => callee,
  };
}

/** A number that is about to ring. */
export interface DialOffer {
  readonly dial: Dial;
  readonly number: string;
  /** Counts the `<Dial>`s of this call, from 1. */
  readonly nth: number;
}

/** A message left on a `<Record>`. */
export interface Message {
  /** Seconds of speech; 0: nothing but silence, or a hang-up at the beep. */
  readonly seconds: number;
  /** What ends it, default `hangup`: silence, the longest length, or a key such as `#`. */
  readonly end?: "hangup" | "silence" | "maxlength" | (string & Record<never, never>);
  readonly transcript?: string;
  /** What becomes of a transcription that was asked for, default `completed`. */
  readonly transcription?: "completed" | "failed" | "never";
}

export interface RecordOffer {
  readonly record: RecordVerb;
  readonly nth: number;
}

type Maybe<T> = T | undefined | Promise<T | undefined>;

/** Someone who calls. The simulator asks; virtual time stands still until the answer is there. */
export interface Caller {
  /** In a talk over a socket: speaks whenever it likes. Others are asked again once the app has spoken. */
  readonly isLive?: true;
  /** The line was picked up and this is heard. Input outside a gather is lost, as on a real call. */
  onHear?(heard: Heard): Maybe<Input>;
  onGather(offer: GatherOffer): Maybe<Input>;
  /** Nothing leaves it to the simulator's `callees`; `hangup`: gives up while it rings. */
  onDial?(offer: DialOffer): Maybe<Callee | "hangup">;
  onRecord?(offer: RecordOffer): Maybe<Message | "silence" | "hangup">;
  /** Is connected to the first of a queue. Default: talks for 20 s; here the `callee` is this person. */
  onTalk?(): Maybe<Pick<Callee, "talkSeconds" | "endedBy">>;
}

/** Where a scripted caller hangs up; a number is milliseconds after the call began. */
export type HangUpPoint =
  | number
  | `say:${number}`
  | "gather"
  | `gather:${number}`
  | "dial"
  | `dial:${number}`
  | "talk"
  | "record";

/** One answer at a gather: keys (`""`: silence), or anything else an `Input` can be. */
export type Answer = string | Input;

/** A caller as data. By default it listens, stays silent, and leaves a message of 8 s. */
export interface Script {
  /** One a gather, in turn; afterwards silence. */
  readonly answers?: readonly Answer[];
  /** Short for `answers` that are keys; they come after those of `say`. */
  readonly keys?: readonly string[];
  /** Short for `answers` that are spoken. */
  readonly say?: readonly string[];
  /** Answers at once, while the first prompt of the gather is still heard. */
  readonly bargeIn?: boolean;
  /** Keys pressed while the nth piece of speech is heard, for example `{ 1: "1" }`. */
  readonly pressesWhileHearing?: Readonly<Record<number, string>>;
  readonly hangupAt?: HangUpPoint;
  /** Of each dial in turn, the last for all that follow. */
  readonly dial?: DialScript | readonly DialScript[];
  /** Of conversations for which `dial` does not say it. */
  readonly talkSeconds?: number;
  readonly voicemail?: Message | "silence";
}

export type DialScript = NonNullable<Callee["outcome"]> | Callee;

/** The caller that a script describes. For `hangupAt` in milliseconds the simulator has a timer. */
export function scripted(script: Script): Caller {
  const answers: readonly Answer[] = [
    ...(script.answers ?? []),
    ...(script.say ?? []).map((speech) => ({ speech })),
    ...(script.keys ?? []),
  ];
  const hangsUpAt = (place: string, nth: number): boolean =>
    (script.hangupAt === place && nth === 1) || script.hangupAt === `${place}:${nth}`;
  let taken = 0;
  const nextAnswer = (): Input => {
    const answer = answers[taken] ?? "silence";
    if (typeof answer !== "string" || answer === "silence" || answer === "hangup") return answer;
    return answer === "" ? "silence" : { digits: answer };
  };

  return {
    onHear(heard) {
      if (hangsUpAt("say", heard.nth)) return "hangup";
      const digits = script.pressesWhileHearing?.[heard.nth];
      if (digits !== undefined) return { digits };
      if (!script.bargeIn || !heard.gathering) return;
      const answer = nextAnswer();
      if (answer === "silence") return;
      taken++;
      return answer;
    },
    onGather(offer) {
      if (hangsUpAt("gather", offer.nth)) return "hangup";
      const answer = nextAnswer();
      taken++;
      return answer;
    },
    onDial(offer) {
      if (hangsUpAt("dial", offer.nth)) return "hangup";
      const dials = script.dial === undefined ? [] : [script.dial].flat();
      const chosen = dials[Math.min(offer.nth, dials.length) - 1];
      const talks = script.hangupAt === "talk";
      if (chosen === undefined && script.talkSeconds === undefined && !talks) return;
      return {
        ...(script.talkSeconds !== undefined && { talkSeconds: script.talkSeconds }),
        ...(typeof chosen === "string" ? { outcome: chosen } : chosen),
        ...(talks && { endedBy: "caller" as const }),
      };
    },
    onRecord() {
      if (script.hangupAt === "record") {
        const message = script.voicemail;
        const seconds = typeof message === "object" ? message.seconds : 4;
        return { ...(typeof message === "object" && message), seconds, end: "hangup" };
      }
      return script.voicemail;
    },
  };
}
