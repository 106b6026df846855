import type { Page } from "playwright-core";

/** The stand-in as a test has it: what was heard of the page, and what it hears. */
export interface WebSpeech {
  /** Everything the page spoke or wanted to speak, in order. */
  spoken(): Promise<{ text: string; lang: string; state: UtteranceState }[]>;
  /** Resolves when the `nth` utterance, from 1, is being spoken; with its text. */
  speaks(nth: number): Promise<string>;
  /** The browser has loaded its voices. */
  load(): Promise<void>;
  /** The utterance that is being spoken comes to its end. */
  finish(): Promise<void>;
  /** The voice fails. */
  fail(): Promise<void>;
  /** The recognisers that the page started, in order. */
  recognisers(): Promise<{ lang: string; continuous: boolean; state: RecogniserState }[]>;
  /** Resolves when the page listens. */
  listens(): Promise<void>;
  /** The person says something; `isFinal` false: the recogniser still guesses. */
  say(words: string, isFinal?: boolean): Promise<void>;
  /** What the recogniser has against listening next, or now. Source: Web Speech API, SpeechRecognitionErrorCode. */
  refuse(error: string): Promise<void>;
}

type UtteranceState = "pending" | "speaking" | "ended" | "canceled" | "interrupted" | "failed";
type RecogniserState = "starting" | "listening" | "stopped" | "aborted" | "failed" | "ended";

/**
 * Puts a voice and a recogniser in the page's browser, which headless has none of. Their events come
 * as the specification orders them, each a task of its own; an end takes its time, as those of a
 * recogniser in another process do. Nothing ends by itself: the test is the voice and the person.
 *
 * @param lateVoices The list of voices is empty until `load`, as browsers fill it late.
 */
export async function withWebSpeech(page: Page, lateVoices = false): Promise<WebSpeech> {
  await page.addInitScript(standIn, lateVoices);
  // deno-lint-ignore no-explicit-any -- the page's
  const ask = (what: string, argument?: any) =>
    page.evaluate(
      // deno-lint-ignore no-explicit-any
      ([what, argument]) => (globalThis as any).webSpeech[what](argument),
      [what, argument],
    );
  return {
    spoken: () => ask("spoken"),
    async speaks(nth) {
      await page.waitForFunction(
        // deno-lint-ignore no-explicit-any
        (nth) => (globalThis as any).webSpeech.spoken()[nth - 1]?.state === "speaking",
        nth,
      );
      return (await ask("spoken"))[nth - 1].text;
    },
    load: () => ask("load"),
    finish: () => ask("finish"),
    fail: () => ask("fail"),
    recognisers: () => ask("recognisers"),
    async listens() {
      await page.waitForFunction(() =>
        // deno-lint-ignore no-explicit-any
        (globalThis as any).webSpeech.recognisers().at(-1)?.state === "listening"
      );
    },
    say: (words, isFinal = true) => ask("say", { words, isFinal }),
    refuse: (error) => ask("refuse", error),
  };
}

/** Runs in the page. Source of names, states and order of events: Web Speech API, W3C draft. */
function standIn(lateVoices: boolean): void {
  /** Between an `abort` or `stop` and the end of it, in milliseconds. */
  const ENDING = 60;
  // deno-lint-ignore no-explicit-any
  type Loose = any;
  const later = (work: () => void, ms = 0) => setTimeout(work, ms);
  const fire = (target: EventTarget, type: string, more: object = {}) => {
    const event = Object.assign(new Event(type), more);
    (target as Loose)[`on${type}`]?.(event);
    target.dispatchEvent(event);
  };
  const define = (name: string, value: unknown) =>
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

  // ---- the voice ----------------------------------------------------------------------------

  class Utterance extends EventTarget {
    lang = "";
    state: UtteranceState = "pending";
    constructor(readonly text: string) {
      super();
    }
  }
  const utterances: Utterance[] = [];
  const VOICE = { name: "Stand-in", lang: "en-US", default: true };
  let voices = lateVoices ? [] : [VOICE];

  class Synthesis extends EventTarget {
    #queue: Utterance[] = [];
    get speaking() {
      return this.#queue[0]?.state === "speaking";
    }
    get pending() {
      return this.#queue.some(({ state }) => state === "pending");
    }
    getVoices() {
      return voices;
    }
    speak(utterance: Utterance) {
      if (utterances.includes(utterance)) throw new TypeError("It was spoken already");
      utterances.push(utterance);
      this.#queue.push(utterance);
      if (this.#queue.length === 1) this.#next();
    }
    cancel() {
      const cancelled = this.#queue;
      this.#queue = [];
      for (const utterance of cancelled) {
        utterance.state = utterance.state === "speaking" ? "interrupted" : "canceled";
        later(() => fire(utterance, "error", { error: utterance.state }));
      }
    }
    end(state: "ended" | "failed") {
      const utterance = this.#queue.shift();
      if (utterance === undefined) throw new Error("Nothing is being spoken");
      utterance.state = state;
      fire(utterance, state === "ended" ? "end" : "error", { error: "synthesis-failed" });
      this.#next();
    }
    #next() {
      const utterance = this.#queue[0];
      if (utterance === undefined) return;
      later(() => {
        if (this.#queue[0] !== utterance || utterance.state !== "pending") return;
        utterance.state = "speaking";
        fire(utterance, "start");
      });
    }
  }
  const synthesis = new Synthesis();
  define("speechSynthesis", synthesis);
  define("SpeechSynthesisUtterance", Utterance);

  // ---- the ears -----------------------------------------------------------------------------

  const recognisers: Recognition[] = [];
  let refusal: string | undefined;

  class Recognition extends EventTarget {
    lang = "";
    continuous = false;
    interimResults = false;
    state: RecogniserState | "new" = "new";
    #results: Loose[] = [];
    start() {
      if (["starting", "listening"].includes(this.state)) {
        throw new DOMException("recognition has already started", "InvalidStateError");
      }
      this.state = "starting";
      recognisers.push(this);
      later(() => {
        if (this.state !== "starting") return;
        if (refusal !== undefined) return this.fail(refusal);
        this.state = "listening";
        fire(this, "start");
        fire(this, "audiostart");
      });
    }
    stop() {
      if (this.state !== "listening") return;
      this.state = "stopped";
      later(() => {
        const last = this.#results.at(-1);
        if (last && !last.isFinal) {
          last.isFinal = true;
          this.#tell();
        }
        this.#over();
      }, ENDING);
    }
    abort() {
      if (!["starting", "listening", "stopped"].includes(this.state)) return;
      this.state = "aborted";
      later(() => {
        fire(this, "error", { error: "aborted" });
        fire(this, "end");
      }, ENDING);
    }
    hear(words: string, isFinal: boolean) {
      if (this.state !== "listening") return;
      const result = Object.assign([{ transcript: words, confidence: 0.9 }], { isFinal });
      if (this.#results.at(-1)?.isFinal === false) this.#results.pop();
      this.#results.push(result);
      if (isFinal || this.interimResults) this.#tell();
      if (isFinal && !this.continuous) {
        this.state = "ended";
        later(() => this.#over(), ENDING);
      }
    }
    fail(error: string) {
      this.state = "failed";
      fire(this, "error", { error });
      later(() => this.#over());
    }
    #tell() {
      fire(this, "result", { results: this.#results, resultIndex: this.#results.length - 1 });
    }
    #over() {
      fire(this, "audioend");
      fire(this, "end");
    }
  }
  define("webkitSpeechRecognition", Recognition);
  define("SpeechRecognition", undefined);

  define("webSpeech", {
    spoken: () => utterances.map(({ text, lang, state }) => ({ text, lang, state })),
    load() {
      voices = [VOICE];
      fire(synthesis, "voiceschanged");
    },
    finish: () => synthesis.end("ended"),
    fail: () => synthesis.end("failed"),
    recognisers: () =>
      recognisers.map(({ lang, continuous, state }) => ({ lang, continuous, state })),
    say: ({ words, isFinal }: Loose) => recognisers.at(-1)!.hear(words, isFinal),
    refuse(error: string) {
      refusal = error;
      if (recognisers.at(-1)?.state === "listening") recognisers.at(-1)!.fail(error);
    },
  });
}
