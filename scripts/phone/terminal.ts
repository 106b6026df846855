import type { CallEvent, CallRecord } from "./call_record.ts";
import type { Callee, Caller, Input, Message } from "./caller.ts";
import type { Webhook } from "./webhook.ts";

/** Colours for people, none for pipes or under NO_COLOR. */
export interface Paint {
  dim(text: string): string;
  bold(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

export function paint(colours: boolean): Paint {
  const code = (open: number, close: number) => (text: string) =>
    colours ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return { dim: code(2, 22), bold: code(1, 22), red: code(31, 39), green: code(32, 39) };
}

/** Lines from standard input; undefined once it has ended. */
export class Lines {
  readonly #reader = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
  #buffer = "";
  #ended = false;

  async next(): Promise<string | undefined> {
    while (!this.#buffer.includes("\n") && !this.#ended) {
      // deno-lint-ignore no-await-in-loop -- a line may come in pieces
      const { value, done } = await this.#reader.read();
      this.#buffer += value ?? "";
      this.#ended = done;
    }
    if (this.#buffer === "") return undefined;
    const [line = "", ...rest] = this.#buffer.split("\n");
    this.#buffer = rest.join("\n");
    return line.trim();
  }
}

/** A person at the keyboard. */
export function interactive(
  lines: Pick<Lines, "next">,
  prompt: (question: string) => void,
): Caller {
  // A question that comes in place of another takes its line.
  let next: Promise<string | undefined> | undefined;
  const ask = async (question: string): Promise<string> => {
    prompt(question);
    const line = next ??= lines.next();
    const text = await line;
    if (next === line) next = undefined;
    return text ?? "h";
  };
  const hangsUp = (line: string) => line.toLowerCase() === "h";
  return {
    isLive: true,
    async onGather(): Promise<Input> {
      const line = await ask("keys or words, Enter stays silent, h hangs up");
      if (hangsUp(line)) return "hangup";
      if (line === "") return "silence";
      return /^[0-9*#]+$/.test(line) ? { digits: line } : { speech: line };
    },
    async onDial({ number }): Promise<Callee | "hangup"> {
      const line = (await ask(`${number} rings: Enter answers, b busy, n no answer, h hangs up`))
        .toLowerCase();
      if (line === "h") return "hangup";
      if (line.startsWith("b")) return { outcome: "busy" };
      return line.startsWith("n") ? { outcome: "no-answer" } : {};
    },
    async onRecord(): Promise<Message | "silence" | "hangup"> {
      const line = await ask("your message, Enter alone stays silent, h hangs up");
      if (hangsUp(line)) return "hangup";
      return line === "" ? "silence" : message(line);
    },
  };
}

/** A message as long as it takes to say it, ended by the pound key. */
export function message(text: string): Message {
  const words = text.split(/\s+/).length;
  return { seconds: Math.max(3, Math.ceil(words / 2.5)), end: "#", transcript: text };
}

/** What happened as a line to read, or nothing where another line tells it. */
export function eventLine(event: CallEvent, paint: Paint): string | undefined {
  const line = (label: string, text: string, note = "") =>
    `${paint.dim(label.padStart(9))}  ${text}${note && paint.dim(`  (${note})`)}`;
  switch (event.kind) {
    case "say":
      return line("says", paint.bold(event.text), event.interrupted ? "interrupted" : "");
    case "play":
      return line("plays", event.url);
    case "pause":
      return line("pauses", `${event.seconds} s`);
    case "gather":
    case "leg":
      return undefined;
    case "keys":
      return line("you press", event.digits, event.lost ? "nobody listens for keys" : "");
    case "speech":
      return line("you say", event.text, event.lost ? "nobody listens" : "");
    case "prompt":
      return line("you say", event.text);
    case "session":
      return event.error === undefined
        ? undefined
        : line("the talk", `ends: ${event.status} ${event.error}`);
    case "silence":
      return line("you", "stay silent");
    case "dial":
      return line(
        "dials",
        event.numbers.join(", "),
        `rings ${event.timeout} s at most, ${
          event.record === "do-not-record" ? "not recorded" : event.record
        }`,
      );
    case "whisper":
      return line("they hear", event.text, "you do not");
    case "dialled":
      return line(
        "the phone",
        event.status === "completed"
          ? `was answered, you talked ${event.talkSeconds} s`
          : event.status,
      );
    case "record":
      return line("records", `${event.maxLength} s at most`, event.transcribe ? "transcribed" : "");
    case "recorded":
      return line("recorded", `${event.seconds} s`, event.sid);
    case "queued":
      return line("waits", `in the queue, as number ${event.position}`);
    case "dequeued":
      return line("held", `for ${event.seconds} s: ${event.result}`);
    case "bridged":
      return line("connected", event.with);
    case "redirect":
    case "talking":
      return undefined;
    case "reject":
      return line("rejects", event.reason);
    case "warning":
      return line("warning", `${event.code}: ${event.message}`);
    case "error":
      return line("error", paint.red(`${event.code}: ${event.message}`));
    case "fallback":
      return line("fallback", event.url);
    case "hangup":
      return line("hangs up", event.by === "caller" ? "you" : "the line");
  }
}

/** One request, its answer, and the TwiML it brought. */
export function webhookLines(webhook: Webhook, paint: Paint): string {
  const { pathname, search } = new URL(webhook.url);
  const served = webhook.status >= 200 && webhook.status < 300;
  const status = String(webhook.status || webhook.failure);
  const what = webhook.params["CallStatus"] ?? webhook.params["RecordingStatus"] ?? "";
  const retry = webhook.attempt > 0 ? `, retry ${webhook.attempt}` : "";
  const head = `${webhook.method} ${pathname}${search}  ${
    served ? paint.green(status) : paint.red(status)
  }  ${webhook.ms.toFixed(0)} ms  (${webhook.kind} ${what}${retry})`;
  const twiml = webhook.twiml?.replace(/></g, ">\n<").split("\n") ?? [];
  return [head, ...twiml].map((line) => paint.dim("          | ") + line).join("\n");
}

/** How it ended, and what the caller reached. */
export function summary(record: CallRecord): string {
  const talk = record.all("dialled").findLast(({ status }) => status === "completed");
  const dialled = record.dialled.at(-1);
  const voicemail = record.all("recorded").findLast(({ source }) => source === "RecordVerb");
  const reached = record.applicationError
    ? "the caller heard an application error"
    : voicemail
    ? `left a voicemail of ${voicemail.seconds} s`
    : record.all("bridged").length > 0
    ? "connected to somebody out of a queue"
    : talk
    ? `connected to ${dialled} for ${talk.talkSeconds} s`
    : dialled !== undefined
    ? `${dialled} was rung, nobody reached`
    : record.all("session").length > 0
    ? "talked with an agent"
    : "nobody reached";
  return `Call ${record.callSid}: ${record.status} after ${record.durationSeconds} s, ${reached}`;
}
