import type { Call } from "./call.ts";
import type { Input } from "./caller.ts";
import { CallerHungUp, type DocumentRequest } from "./interruption.ts";
import { play } from "./prompt.ts";
import { newSid } from "./signer.ts";
import { type Connect, type Gather, type Relay, resolveUrl } from "./twiml.ts";

/** How a session ended, as the action is told. */
interface End {
  readonly SessionStatus: "completed" | "ended" | "failed";
  readonly ErrorCode?: string;
  readonly ErrorMessage?: string;
  readonly HandoffData?: string;
}

/** Longest wait for the app, which has a way out after 4 s of its own silence. Milliseconds of wall time. */
const APP_MS = 40_000;
/** The socket is lost; the action follows. Source: seen by others on the wire. */
const LOST_MS = 1200;
const ENDED_MS = 700;

/** Keys and words, whenever the agent does not speak. */
const LISTENING: Gather = {
  verb: "Gather",
  dtmf: true,
  speech: true,
  action: undefined,
  method: "POST",
  // However long they are silent, the app speaks next.
  timeout: 600,
  speechTimeout: 1,
  numDigits: 1,
  finishOnKey: "",
  actionOnEmptyResult: false,
  language: undefined,
  hints: undefined,
  prompts: [],
};

/**
 * `<Connect><ConversationRelay>`: the caller talks with the app over a socket. Each stretch of speech is played as it is
 * complete, and the caller is asked whenever the agent is quiet.
 * Source: https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
 */
export async function connect(
  call: Call,
  { relay, action, method }: Connect,
  documentUrl: string,
): Promise<DocumentRequest | "next"> {
  const began = call.clock.now();
  const SessionId = newSid("VX");
  const session = new Session(call, relay, SessionId);
  const params = (end: End) => ({
    SessionId,
    SessionDuration: String(call.secondsSince(began)),
    ...end,
  });
  const url = action === undefined ? undefined : resolveUrl(action, documentUrl);
  try {
    const end = await session.run();
    call.happens({ kind: "session", status: end.SessionStatus, error: end.ErrorCode });
    await call.pass(end.SessionStatus === "ended" ? ENDED_MS : LOST_MS);
    return url === undefined ? "next" : { url, method, params: params(end) };
  } catch (error) {
    if (error instanceof CallerHungUp && url !== undefined) {
      call.end(error.by);
      const hungUp = params({ SessionStatus: "completed" });
      await call.requestIgnoringAnswer({ url, method, params: hungUp });
    }
    throw error;
  } finally {
    session.close();
  }
}

class Session {
  #socket: WebSocket | undefined;
  #end: End | undefined;
  /** Texts of the stretch of speech that is under way, and those that are complete. */
  #tokens = "";
  readonly #speeches: string[] = [];
  readonly #late: string[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(
    private readonly call: Call,
    private readonly relay: Relay,
    private readonly sessionId: string,
  ) {}

  async run(): Promise<End> {
    const { call, relay } = this;
    const isOpen = await call.clock.during(() => this.#open());
    if (!isOpen) {
      // The caller hears the busy tone.
      return { SessionStatus: "failed", ErrorCode: "64102", ErrorMessage: "Unable to connect" };
    }
    const { from, to, accountSid } = call.setup;
    this.#send({
      type: "setup",
      sessionId: this.sessionId,
      callSid: call.record.callSid,
      accountSid,
      from,
      to,
      direction: "inbound",
      callType: "PSTN",
      callStatus: "RINGING",
      customParameters: {},
    });
    if (relay.welcomeGreeting !== "") await this.#speak(relay.welcomeGreeting);
    for (let question: Promise<Input> | undefined; this.#end === undefined;) {
      const speech = this.#speeches.shift();
      if (speech !== undefined) {
        // deno-lint-ignore no-await-in-loop -- one after the other
        await this.#speak(speech);
        // It is heard in place of the question, which comes again.
        if (call.setup.caller.isLive) question = undefined;
        continue;
      }
      const nth = call.record.all("prompt").length + 1;
      question ??= Promise.resolve(call.setup.caller.onGather({ gather: LISTENING, nth }))
        .then((input) => input ?? "silence");
      const happening = Promise.race([question, this.#wake.promise]);
      // Time stands still for the wait, not for a question that the app leaves unanswered.
      // deno-lint-ignore no-await-in-loop
      const input = await call.clock.during(() => call.until(happening));
      if (input === undefined) continue;
      question = undefined;
      // deno-lint-ignore no-await-in-loop
      await this.#say(input);
      // deno-lint-ignore no-await-in-loop
      if (!call.setup.caller.isLive || input === "silence") await this.#appSpeaks();
    }
    return this.#end;
  }

  close(): void {
    this.#socket?.close();
  }

  async #open(): Promise<boolean> {
    const { setup } = this.call;
    if (setup.relay?.unreachable) return false;
    const { url } = this.relay;
    const place = await setup.relay?.place?.(url) ?? url;
    // Deno's own option, which the types of the web do not have.
    const options = { headers: setup.sender.handshake(url) } as unknown as string[];
    const socket = new WebSocket(place, options);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#frame(JSON.parse(data));
    const opened = Promise.withResolvers<boolean>();
    socket.onopen = () => opened.resolve(true);
    socket.onerror = () => opened.resolve(false);
    socket.onclose = () => {
      opened.resolve(false);
      this.#ended({ SessionStatus: "failed", ErrorCode: "64105", ErrorMessage: "Socket ended" });
    };
    return await opened.promise;
  }

  /** The first end counts. */
  #ended(end: End): void {
    this.#end ??= end;
    this.#woken();
  }

  #woken(): void {
    this.#wake.resolve();
    if (this.#end === undefined) this.#wake = Promise.withResolvers();
  }

  #frame(frame: Record<string, unknown>): void {
    switch (frame["type"]) {
      case "text":
        this.#tokens += String(frame["token"] ?? "");
        if (frame["last"] !== true) return;
        if (this.#tokens.trim() !== "") this.#speeches.push(this.#tokens.trim());
        this.#tokens = "";
        return this.#woken();
      case "end":
        return this.#ended({
          SessionStatus: "ended",
          HandoffData: String(frame["handoffData"] ?? ""),
        });
      default:
        this.call.happens({
          kind: "warning",
          code: 64107,
          message: `A frame of type ${String(frame["type"])}`,
        });
    }
  }

  #send(frame: Record<string, unknown>): void {
    const { relay } = this.call.setup;
    const text = JSON.stringify(frame);
    if (relay?.late && frame["type"] === "info") return void this.#late.push(text);
    for (const each of [text, ...this.#late.splice(0)]) this.#sendText(each);
  }

  #sendText(text: string): void {
    for (let copy = this.call.setup.relay?.doubled ? 2 : 1; copy > 0; copy--) {
      if (this.#socket?.readyState !== WebSocket.OPEN) return;
      this.#socket.send(text);
      this.call.setup.relay?.onFrame?.();
    }
  }

  /** Plays what the agent says; the caller may interrupt it. */
  async #speak(text: string): Promise<void> {
    const { call, relay } = this;
    this.#info("agentSpeaking", "on");
    const say = { verb: "Say" as const, text, voice: undefined, language: relay.language, loop: 1 };
    const input = await play(call, say, () => true);
    if (input === undefined) {
      this.#info("tokensPlayed", text);
      this.#info("agentSpeaking", "off");
      return;
    }
    if (input === "hangup") return call.leave();
    // Half of it was heard; the rest is not played, and what is queued behind it is not either.
    const words = text.split(" ");
    const heard = words.slice(0, Math.ceil(words.length / 2)).join(" ");
    this.#speeches.length = 0;
    this.#send({
      type: "interrupt",
      utteranceUntilInterrupt: heard,
      durationUntilInterruptMs: heard.length * 60,
    });
    this.#info("agentSpeaking", "off");
    await this.#say(input);
    if (!call.setup.caller.isLive) await this.#appSpeaks();
  }

  #info(name: string, value: string): void {
    if (this.relay.events.includes(name === "tokensPlayed" ? "tokens-played" : "speaker-events")) {
      this.#send({ type: "info", name, value });
    }
  }

  async #say(input: Input): Promise<void> {
    const { call } = this;
    if (input === "hangup") {
      await call.pass(1000);
      return call.leave();
    }
    if (input === "silence") {
      call.happens({ kind: "silence", during: "gather" });
      return;
    }
    await call.pass(input.afterMs ?? 1000);
    if ("digits" in input) {
      call.happens({ kind: "keys", digits: input.digits, lost: false });
      for (const digit of input.digits.replace(/[^0-9*#]/g, "")) {
        this.#send({ type: "dtmf", digit });
      }
      return;
    }
    call.happens({ kind: "prompt", text: input.speech });
    const nth = call.record.all("prompt").length;
    if (call.setup.relay?.dropAtPrompt?.includes(nth)) {
      this.#ended({ SessionStatus: "failed", ErrorCode: "64105", ErrorMessage: "Socket ended" });
      this.#socket?.close();
      return;
    }
    const { language } = this.relay;
    this.#send({ type: "prompt", voicePrompt: input.speech, lang: language, last: true });
  }

  /** The app says something, or ends the session. In wall time: its clock is not the call's. */
  async #appSpeaks(): Promise<void> {
    if (this.#end !== undefined || this.#speeches.length > 0) return;
    const waiting = AbortSignal.timeout(APP_MS);
    const late = Promise.withResolvers<void>();
    waiting.addEventListener("abort", () => late.resolve());
    await this.call.until(
      this.call.clock.during(() => Promise.race([this.#wake.promise, late.promise])),
    );
  }
}
