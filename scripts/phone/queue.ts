import type { Call } from "./call.ts";
import type { QueueResult } from "./call_record.ts";
import { type Document, fetchDocument } from "./document.ts";
import { Bridge, BridgeOver, Dequeued, type Live, type Member, type Queue } from "./exchange.ts";
import { CallerHungUp, type DocumentRequest, Interruption, Redirected } from "./interruption.ts";
import { Recording } from "./recording.ts";
import type { Params } from "./signer.ts";
import { type Dial, type Enqueue, resolveUrl, TwimlError, type Verb } from "./twiml.ts";

/** Longest that a call lasts, in seconds. Source: https://www.twilio.com/docs/voice/twiml/dial */
const LONGEST_CALL = 14_400;

/** What a wait document may hold. Source: https://www.twilio.com/docs/voice/twiml/enqueue#attributes-waiturl */
const WAITING = new Set(["Play", "Say", "Pause", "Hangup", "Redirect", "Leave", "Gather"]);
/** What a `<Queue url>` may hold. Source: https://www.twilio.com/docs/voice/twiml/queue#attributes-url */
const ANNOUNCED = new Set(["Play", "Say", "Pause", "Redirect"]);

/** How documents are carried out on a call: where a verb leads to. */
export type Perform = (
  document: Document,
) => Promise<DocumentRequest | "ran out" | "left" | "ended">;

/** Waits until it is taken, leaves, or hangs up; the action hears which. */
export async function enqueue(
  call: Call,
  verb: Enqueue,
  documentUrl: string,
  perform: Perform,
): Promise<DocumentRequest | "next" | "ended"> {
  const { exchange, accountSid } = call.setup;
  const queue = exchange.queueFor(accountSid, verb.name, call.clock);
  const member = queue.join(call);
  let seconds = 0;
  const action = (result: QueueResult): DocumentRequest | undefined => {
    call.happens({ kind: "dequeued", result, seconds });
    return verb.action === undefined ? undefined : {
      url: resolveUrl(verb.action, documentUrl),
      method: verb.method,
      params: {
        QueueResult: result,
        ...(member && { QueueSid: queue.sid, QueueTime: String(seconds) }),
      },
    };
  };
  if (member === undefined) return action("queue-full") ?? "next";
  call.happens({ kind: "queued", queue: verb.name, position: queue.members.length });
  try {
    queue.offer();
    const left = await wait(call, queue, member, verb, documentUrl, perform);
    seconds = call.secondsSince(member.joinedAt);
    if (left === "ended") {
      queue.remove(member);
      member.bridge?.end(call);
      const ended = action("hangup");
      if (ended) await call.requestIgnoringAnswer(ended);
      return "ended";
    }
    if (queue.remove(member)) return action(left) ?? "next";
    // It was taken at this very moment, and meets the interruption here.
    await call.until(new Promise<never>(() => {}));
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    seconds = call.secondsSince(member.joinedAt);
    queue.remove(member);
    if (!(error instanceof Dequeued)) await gone(error, "hangup", "redirected");
  }
  call.resume();
  const bridge = member.bridge!;
  try {
    // The person may have gone while this call waited for a document.
    if (bridge.isOver) throw new BridgeOver("The other side is gone");
    await announce(call, bridge.announcement, perform);
    bridge.connect();
    call.happens({ kind: "bridged", queue: verb.name, with: bridge.agent.record.callSid });
    await call.until(new Promise<never>(() => {}));
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    if (!(error instanceof BridgeOver)) await gone(error, "bridged", "redirected-from-bridged");
  }
  call.resume();
  return action("bridged") ?? "next";

  /** The action is told, and its answer leads nowhere: the call is over, or goes on by another document. */
  async function gone(
    error: Interruption,
    hungUp: QueueResult,
    redirected: QueueResult,
  ): Promise<never> {
    member?.bridge?.end(call);
    const told = action(error instanceof Redirected ? redirected : hungUp);
    if (error instanceof CallerHungUp) call.end(error.by);
    if (told) await call.requestIgnoringAnswer(told);
    throw error;
  }
}

/** Document after document, from the first again when the last has run out. */
async function wait(
  call: Call,
  queue: Queue,
  member: Member,
  verb: Enqueue,
  documentUrl: string,
  perform: Perform,
): Promise<"leave" | "error" | "system-error" | "ended"> {
  if (verb.waitUrl === undefined) {
    await call.pass(LONGEST_CALL * 1000);
    call.hangUp("app");
  }
  const first = {
    url: resolveUrl(verb.waitUrl ?? "", documentUrl),
    method: verb.waitUrlMethod,
    params: {},
  };
  let request: DocumentRequest = first;
  while (true) {
    if (call.secondsSince(member.joinedAt) >= LONGEST_CALL) {
      call.hangUp("app");
      // deno-lint-ignore no-await-in-loop -- throws
      await call.pass(0);
    }
    const params: Params = {
      ...request.params,
      QueueSid: queue.sid,
      QueuePosition: String(queue.members.indexOf(member) + 1),
      QueueTime: String(call.secondsSince(member.joinedAt)),
      AvgQueueTime: String(queue.averageSeconds()),
      CurrentQueueSize: String(queue.members.length),
      MaxQueueSize: String(queue.maxSize),
    };
    let document: Document;
    try {
      // deno-lint-ignore no-await-in-loop -- one document leads to the next
      document = await fetchDocument(call, { ...request, params }, WAITING);
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      const { code, message } = error;
      call.happens({ kind: "error", code, message, url: request.url });
      return code === 11200 || code === 11205 ? "system-error" : "error";
    }
    // deno-lint-ignore no-await-in-loop
    const next = await perform(document);
    if (next === "left") return "leave";
    if (next === "ended") return "ended";
    request = next === "ran out" ? first : next;
    // A document that takes no time is not asked for without end at one moment.
    // deno-lint-ignore no-await-in-loop
    if (next === "ran out" && !document.verbs.some(takesTime)) await call.pass(1000);
  }
}

function takesTime({ verb }: Verb): boolean {
  return verb === "Say" || verb === "Play" || verb === "Pause" || verb === "Gather";
}

/** What the queued caller hears before the two are connected. */
async function announce(
  call: Call,
  request: DocumentRequest | undefined,
  perform: Perform,
): Promise<void> {
  if (request === undefined) return;
  let next: DocumentRequest | undefined;
  try {
    const led = await perform(await fetchDocument(call, request, ANNOUNCED));
    next = typeof led === "object" ? led : undefined;
  } catch (error) {
    if (!(error instanceof TwimlError)) throw error;
    // Not confirmed: a failing one is passed over.
    call.happens({ kind: "error", code: error.code, message: error.message, url: request.url });
  }
  await announce(call, next, perform);
}

/** Connects a call with the first that waits; where none does, waits as long as the dial rings. */
export async function dialQueue(
  call: Call,
  verb: Dial,
  documentUrl: string,
): Promise<DocumentRequest | "next"> {
  const { name, url, method } = verb.queue!;
  const { exchange, accountSid } = call.setup;
  const outcome = (status: "completed" | "no-answer" | "failed", further: Params = {}) =>
    verb.action === undefined ? "next" as const : {
      url: resolveUrl(verb.action, documentUrl),
      method: verb.method,
      params: {
        DialCallStatus: status,
        DialBridged: String(status === "completed"),
        ...further,
      },
    };
  const queue = exchange.queue(accountSid, name);
  if (queue === undefined) return outcome("failed");
  const met = Promise.withResolvers<void>();
  let bridge: Bridge | undefined;
  let startedAt: Date | undefined;
  let recording: Recording | undefined;
  const abandon = queue.take((member) => {
    const announcement = url === undefined ? undefined : {
      url: resolveUrl(url, documentUrl),
      method,
      params: {
        QueueSid: queue.sid,
        QueueTime: String(member.call.secondsSince(member.joinedAt)),
        DequeingCallSid: call.record.callSid,
      },
    };
    // At the moment of taking: from here on either side hears of it when the other one goes.
    member.bridge = bridge = new Bridge(call, member.call, announcement);
    member.call.interrupt(new Dequeued("The call was taken out of its queue"));
    met.resolve();
  });
  const ended = () => {
    bridge?.end(call);
    const seconds = startedAt ? call.secondsSince(startedAt) : 0;
    const status = startedAt ? "completed" : "no-answer";
    call.happens({ kind: "dialled", status, talkSeconds: seconds });
    recording?.finish(recording.elapsed);
    return outcome(status, {
      ...(bridge && { DialCallSid: bridge.caller.record.callSid }),
      ...(startedAt && { DialCallDuration: String(seconds) }),
      ...(recording && { RecordingUrl: recording.url }),
    });
  };
  const timer = new AbortController();
  try {
    const late = call.clock.sleep(verb.timeout * 1000, timer.signal).catch(() => {});
    await call.until(Promise.race([met.promise, late]));
    timer.abort();
    abandon();
    if (bridge === undefined) return ended();
    const { caller, connected } = bridge as Bridge;
    // Where it is not, the interruption by its end follows.
    if (!await call.until(connected)) await call.until(new Promise<never>(() => {}));
    startedAt = call.clock.now();
    call.happens({ kind: "bridged", queue: name, with: caller.record.callSid });
    if (verb.record !== "do-not-record") {
      const channels = verb.record.endsWith("-dual") ? 2 : 1;
      recording = new Recording(call, { source: "DialVerb", channels, verb, documentUrl });
    }
    await talk(call, caller, verb);
  } catch (error) {
    timer.abort();
    abandon();
    if (!(error instanceof Interruption)) throw error;
    const action = ended();
    if (!(error instanceof BridgeOver)) {
      if (error instanceof CallerHungUp) {
        call.end(error.by);
        if (action !== "next") await call.requestIgnoringAnswer(action);
      }
      throw error;
    }
    call.resume();
    return action;
  }
  // Both may end it at one moment.
  const isOver = (bridge as Bridge).isOver;
  const action = ended();
  if (isOver) call.resume();
  return action;
}

/** Until somebody ends it. A star ends it only where the dial says so. */
async function talk(agent: Call, caller: Live, verb: Dial): Promise<void> {
  const { talkSeconds = 20, endedBy = "callee" } = await agent.ask((person) => person.onTalk?.()) ??
    {};
  const { hangupOnStar, timeLimit } = verb;
  const isOver = await agent.talk(Math.min(talkSeconds, timeLimit), hangupOnStar);
  if (!isOver || talkSeconds > timeLimit) return;
  if (endedBy === "callee") agent.leave();
  if (endedBy === "caller") {
    caller.hangUp();
    await agent.until(new Promise<never>(() => {}));
  }
  agent.happens({ kind: "keys", digits: "*", lost: !hangupOnStar });
  if (!hangupOnStar) await agent.pass((timeLimit - talkSeconds) * 1000);
}
