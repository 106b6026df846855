import type { Answer, Script } from "./caller.ts";
import type { CallEvent } from "./call_record.ts";
import { eventLine, Lines, message as spoken, type Paint, webhookLines } from "./terminal.ts";
import type { Webhook } from "./webhook.ts";

/** What the telephone does when it is called, or whom it calls. */
export type Errand =
  | { readonly call: { readonly from: string; readonly to: string } }
  /** Rings when this number is called, so many times; without a limit until it is ended. */
  | { readonly as: string; readonly calls: number };

export interface JoinOptions {
  /** Of `task start`'s pages, without a trailing slash. */
  readonly url: string;
  readonly errand: Errand;
  /** Undefined: somebody types. */
  readonly script: Script | undefined;
  readonly paint: Paint;
  readonly print: (line: string) => void;
  readonly webhooks: boolean;
  /** Ends it: hangs up, and switches the telephone off. */
  readonly signal: AbortSignal;
}

interface Question {
  readonly ask: "hear" | "gather" | "dial" | "record";
  readonly nth: number;
  readonly text: string;
  readonly audio: boolean;
  readonly gathering: boolean;
  readonly number: string;
}

/** Of a scripted conversation, in seconds. */
const TALK = 20;
/** How long audio is taken to last, in seconds. */
const PLAYED = 3;

/**
 * A telephone of `task start`, held from this terminal: its calls meet those of the web phone's telephones, in real time.
 *
 * @returns whether each call was served: nobody heard an application error.
 * @throws {Error} where the connection fails or ends.
 */
export async function join(options: JoinOptions): Promise<boolean> {
  const socket = new WebSocket(`${options.url.replace(/^http/, "ws")}/api/phone`);
  const telephone = new Telephone(options, (message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  });
  const { promise: cut, reject } = Promise.withResolvers<never>();
  const stop = () => telephone.stop();
  options.signal.addEventListener("abort", stop);
  socket.onopen = () => telephone.begin();
  socket.onmessage = ({ data }) => telephone.hear(JSON.parse(data));
  socket.onerror = socket.onclose = () =>
    reject(new Error(`The connection to ${options.url} ended: is \`task start\` still running?`));
  try {
    return await Promise.race([telephone.done, cut]);
  } finally {
    options.signal.removeEventListener("abort", stop);
    socket.onclose = socket.onerror = null;
    socket.close();
  }
}

class Telephone {
  readonly #options: JoinOptions;
  readonly #send: (message: unknown) => void;
  readonly #done = Promise.withResolvers<boolean>();
  readonly #answers: Answer[];
  #question: Question | undefined;
  #state: "idle" | "rings" | "call" | "talk" = "idle";
  /** Plays the person who is talked to as well. */
  #playsOther = false;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #calls = 0;
  #served = true;
  #stopping = false;

  constructor(options: JoinOptions, send: (message: unknown) => void) {
    this.#options = options;
    this.#send = send;
    this.#answers = answersOf(options.script);
  }

  get done(): Promise<boolean> {
    return this.#done.promise;
  }

  begin(): void {
    const { errand, script } = this.#options;
    if ("as" in errand) this.#send({ type: "on", number: errand.as });
    else {
      this.#send({ type: "on", number: errand.call.from });
      this.#send({ type: "call", ...errand.call });
      this.#state = "call";
    }
    if (script === undefined) this.#listen();
    if (typeof script?.hangupAt === "number") {
      this.#after(script.hangupAt / 1000, () => this.#send({ type: "hangup" }));
    }
  }

  stop(): void {
    this.#stopping = true;
    if (this.#state === "idle") return this.#end();
    this.#send({ type: "hangup" });
  }

  // deno-lint-ignore no-explicit-any -- as scripts/console/phone_line.ts sends it
  hear(message: any): void {
    const { paint, print } = this.#options;
    switch (message.type) {
      case "on":
        if ("as" in this.#options.errand) print(`${message.number} is ready. Ctrl-C ends it`);
        return;
      case "call":
        return print(`Calling ${message.to} from ${message.from}: ${message.callSid}`);
      case "rings":
        return this.#ring(message.from);
      case "talk":
        return this.#talk();
      case "ask":
        return this.#ask(message.question ?? undefined);
      case "event":
        return this.#happens(message.event);
      case "webhook":
        if (this.#options.webhooks) print(webhookLines(whole(message.webhook), paint));
        return;
      case "lost":
        return print(paint.dim(`           "${message.what}" was lost: nobody listens for it now`));
      case "over":
        return this.#over(message.outcome);
    }
  }

  #ring(from: string): void {
    this.#state = "rings";
    const { dial } = this.#options.script ?? {};
    this.#options.print(`${from} calls`);
    if (this.#options.script === undefined) {
      return this.#prompt("Enter answers, n declines");
    }
    this.#answers.splice(0, Infinity, ...answersOf(this.#options.script));
    const outcome = typeof dial === "string" ? dial : "answered";
    if (outcome === "no-answer") return;
    if (outcome !== "answered") return this.#send({ type: "decline" });
    this.#pickUp();
  }

  #pickUp(): void {
    this.#state = "call";
    this.#send({ type: "pick-up" });
  }

  #ask(question: Question | undefined): void {
    this.#question = question;
    if (question === undefined) return;
    const { script, print, paint } = this.#options;
    if (question.ask === "hear") {
      print(`${paint.dim("     says")}  ${paint.bold(question.text)}`);
      const { nth, text } = question;
      // An answer cuts the prompt short.
      if (question.gathering && this.#answers.length > 0) return this.#give(this.#answers.shift()!);
      const done = () => this.#question?.nth === nth && this.#send({ type: "heard", nth });
      return this.#after(
        question.audio ? PLAYED : Math.min(600 + text.length * 22, 6000) / 1000,
        done,
      );
    }
    if (script === undefined) {
      return this.#prompt(
        {
          gather: "keys or words, Enter stays silent, h hangs up",
          dial: `${question.number} rings: Enter answers, b busy, n no answer, h hangs up`,
          record: "your message, Enter alone stays silent, h hangs up",
        }[question.ask],
      );
    }
    if (question.ask === "gather") {
      return this.#give(this.#answers.shift() ?? "silence");
    }
    if (question.ask === "dial") {
      const dial = typeof script.dial === "string" ? script.dial : "answered";
      return this.#play(
        dial === "answered" ? "answer" : dial === "no-answer" ? "ignore" : "decline",
      );
    }
    const { voicemail } = script;
    if (voicemail === "silence") return this.#send({ type: "silence" });
    const { seconds = 8, end = "hangup", transcript = "" } = voicemail ?? {};
    this.#send({ type: "message", seconds, end, transcript });
  }

  /** At a gather. */
  #give(answer: Answer): void {
    if (answer === "silence" || answer === "") return this.#send({ type: "silence" });
    if (answer === "hangup") return this.#send({ type: "hangup" });
    const { print, paint } = this.#options;
    const digits = typeof answer === "string"
      ? answer
      : "digits" in answer
      ? answer.digits
      : undefined;
    if (digits !== undefined) {
      print(`${paint.dim("you press")}  ${digits}`);
      for (const key of digits) this.#send({ type: "key", key });
    } else if (typeof answer === "object" && "speech" in answer) {
      print(`${paint.dim("  you say")}  ${answer.speech}`);
      this.#send({ type: "speech", text: answer.speech });
    }
  }

  /** Of a number that no telephone holds. */
  #play(does: "answer" | "decline" | "ignore"): void {
    this.#playsOther = does === "answer";
    this.#send({ type: "callee", does });
  }

  #talk(): void {
    if (this.#state === "talk") return;
    this.#state = "talk";
    const { script, print } = this.#options;
    print("           you talk");
    if (script === undefined) return this.#prompt("keys, h hangs up");
    const seconds = script.talkSeconds ?? TALK;
    const next = this.#answers[0];
    this.#after(seconds, () => {
      if (typeof next === "string" && next.startsWith("*")) {
        // The star leaves the talk; what follows it is for the question that comes then.
        this.#answers[0] = next.slice(1);
        if (this.#answers[0] === "") this.#answers.shift();
        return this.#send({ type: "key", key: "*" });
      }
      // A caller waits for the person to hang up.
      if (this.#playsOther) this.#send({ type: "callee-hangup" });
      else if ("as" in this.#options.errand || script.talkSeconds !== undefined) {
        this.#send({ type: "hangup" });
      }
    });
  }

  #happens(event: CallEvent): void {
    if (event.kind === "bridged" || event.kind === "talking") this.#talk();
    else if (event.kind === "dialled" || event.kind === "dequeued") this.#leaveTalk();
    // What is heard and said is printed as it is.
    if (["say", "play", "keys", "speech", "hangup"].includes(event.kind)) return;
    const line = eventLine(event, this.#options.paint);
    if (line !== undefined) this.#options.print(line);
  }

  #leaveTalk(): void {
    if (this.#state === "talk") this.#state = "call";
    this.#playsOther = false;
    this.#clear();
  }

  #over({ status, reached, seconds }: { status: string; reached: string; seconds: number }): void {
    this.#leaveTalk();
    this.#state = "idle";
    this.#question = undefined;
    this.#options.print(`Call ${status} after ${seconds} s: you ${reached}`);
    if (reached.includes("application error") || status === "failed") this.#served = false;
    const { errand } = this.#options;
    if (!("as" in errand) || ++this.#calls >= errand.calls || this.#stopping) this.#end();
  }

  #end(): void {
    this.#clear();
    this.#done.resolve(this.#served);
  }

  #after(seconds: number, does: () => void): void {
    this.#timers.push(setTimeout(does, seconds * 1000));
  }

  #clear(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }

  #prompt(question: string): void {
    this.#options.print(this.#options.paint.dim(`        ?  ${question}`));
  }

  /** Each line that is typed is for what goes on then. */
  async #listen(): Promise<void> {
    const lines = new Lines();
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- one line after the other
      const line = await lines.next();
      if (line === undefined) return this.stop();
      this.#typed(line);
    }
  }

  #typed(line: string): void {
    const word = line.toLowerCase();
    if (this.#state === "rings") {
      return word === "" ? this.#pickUp() : this.#send({ type: "decline" });
    }
    if (word === "h") return this.stop();
    switch (this.#question?.ask) {
      case "gather":
        return this.#give(/^[0-9*#]*$/.test(line) ? line : { speech: line });
      case "dial":
        return this.#play(
          word.startsWith("b") ? "decline" : word.startsWith("n") ? "ignore" : "answer",
        );
      case "record":
        return this.#send(
          line === "" ? { type: "silence" } : { type: "message", ...spoken(line) },
        );
    }
    if (line === "" && this.#playsOther) return this.#send({ type: "callee-hangup" });
    for (const key of line.replace(/[^0-9*#]/g, "")) this.#send({ type: "key", key });
  }
}

function answersOf(script: Script | undefined): Answer[] {
  return [...script?.answers ?? []];
}

/** A webhook as the pages show it, in the form that is printed here. */
function whole(shown: Webhook & { readonly path: string }): Webhook {
  return { ...shown, url: `http://localhost${shown.path}` };
}
