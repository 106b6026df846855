// Calls and queues of Twilio's REST API, over the telephones of a simulator.
// Source: https://www.twilio.com/docs/voice/api/call-resource, .../queue-resource, .../member-resource

import type { CallRecord, RestCall, Simulator } from "../phone/mod.ts";
import type { ProgressEvent } from "../phone/twiml.ts";
import { failure, notFound, page } from "./twilio_answer.ts";

/** Longest TwiML that a request may hold, in characters. */
const MAX_TWIML = 4000;
const EVENTS: readonly string[] = ["initiated", "ringing", "answered", "completed"];

/** A request's parameters; of a repeated one, each. */
export type Form = URLSearchParams;

interface Made {
  readonly record: CallRecord;
  readonly createdAt: Date;
  /** So many lists leave it out yet. */
  unlisted: number;
}

/** The calls of one account. */
export class AccountCalls {
  readonly #simulator: Simulator;
  readonly #accountSid: string;
  /** Made by REST, by sid; the newest last. */
  readonly #made = new Map<string, Made>();

  constructor(accountSid: string, simulator: Simulator) {
    this.#accountSid = accountSid;
    this.#simulator = simulator;
  }

  /**
   * Answers a request for `Calls` or `Queues`.
   *
   * @param own The account's numbers, as far as they are known; none: any may be its.
   * @param listedAfter A call that is made now is left out of so many lists.
   */
  answer(
    { method, path, form }: { method: string; path: string; form: Form },
    own: readonly string[],
    listedAfter: number,
  ): Response {
    const [, , , collection, sid, member, which] = path.split("/");
    if (collection === "Queues") return this.#queues(method, path, form, sid, member, which);
    if (member !== undefined) return notFound(path);
    if (sid === undefined) {
      return method === "POST" ? this.#create(form, own, listedAfter) : this.#list(path, form);
    }
    const record = this.#find(sid);
    if (record === undefined) return notFound(path);
    if (method === "POST") return this.#update(record, form);
    return method === "GET" ? Response.json(this.#resource(record)) : notFound(path);
  }

  #create(form: Form, own: readonly string[], listedAfter: number): Response {
    const [to, from] = [form.get("To") ?? "", form.get("From") ?? ""];
    if (to === "") return failure(400, 21201, "No 'To' number is specified");
    if (from === "") return failure(400, 21213, "No 'From' number is specified");
    if (!isNumber(to)) return failure(400, 21211, `The phone number ${to} is not valid`);
    const document = documentOf(form);
    if (document instanceof Response) return document;
    if (document === undefined) return failure(400, 21205, "Url parameter is required.");
    if (!this.#mayShow(from, form.get("CallToken"), own)) {
      return failure(400, 21210, `The source phone number provided, ${from}, is not yours`);
    }
    const events = form.getAll("StatusCallbackEvent");
    if (!events.every((event) => EVENTS.includes(event))) {
      return failure(400, 21626, "Each StatusCallbackEvent is a parameter of its own");
    }
    const detection = detectionOf(form);
    if (detection instanceof Response) return detection;
    if (!this.#simulator.exchange.hasRoom(this.#accountSid)) {
      return failure(429, 10004, "Call concurrency limit exceeded");
    }
    const { record } = this.#simulator.dial({
      to,
      from,
      document,
      ...seconds(form, "Timeout", "timeout"),
      ...seconds(form, "TimeLimit", "timeLimit"),
      detection,
      statusCallback: form.get("StatusCallback") ?? undefined,
      statusCallbackMethod: methodOf(form, "StatusCallbackMethod"),
      ...(events.length > 0 && { statusCallbackEvents: events as ProgressEvent[] }),
      fallbackUrl: form.get("FallbackUrl") ?? undefined,
    });
    const createdAt = this.#simulator.clock.now();
    this.#made.set(record.callSid, { record, createdAt, unlisted: listedAfter });
    return Response.json(this.#resource(record), { status: 201 });
  }

  /**
   * Whether this number may show: an own one, or with a `CallToken` that of the call it came with.
   * Source: https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource (CallToken)
   */
  #mayShow(from: string, token: string | null, own: readonly string[]): boolean {
    const { tokens } = this.#simulator.exchange;
    if (own.includes(from) || (token !== null && tokens.get(token) === from)) return true;
    return own.length === 0 && isNumber(from) && ![...tokens.values()].includes(from);
  }

  #update(record: CallRecord, form: Form): Response {
    const document = documentOf(form);
    if (document instanceof Response) return document;
    const status = form.get("Status");
    if (status !== null && status !== "completed" && status !== "canceled") {
      return failure(400, 21218, `Status ${status} is not valid`);
    }
    const change = status ?? document;
    if (change === undefined) return Response.json(this.#resource(record));
    if (!this.#simulator.update(record.callSid, change)) {
      return failure(400, 21220, "Call is not in-progress. Cannot redirect.");
    }
    return Response.json(this.#resource(record));
  }

  #find(sid: string): CallRecord | undefined {
    return this.#made.get(sid)?.record ??
      this.#live().find(({ callSid }) => callSid === sid);
  }

  #live(): CallRecord[] {
    return [...this.#simulator.exchange.calls.values()]
      .filter(({ setup }) => setup.accountSid === this.#accountSid)
      .map(({ record }) => record);
  }

  /** Newest first. A call that is queued has no start yet, so no filter by it finds one. */
  #list(path: string, form: Form): Response {
    const hidden = new Set<CallRecord>();
    for (const made of this.#made.values()) {
      if (made.unlisted === 0) continue;
      made.unlisted--;
      hidden.add(made.record);
    }
    const all = new Set([...[...this.#made.values()].map(({ record }) => record), ...this.#live()]);
    const found = [...all].filter((record) => !hidden.has(record)).map((record) =>
      this.#resource(record)
    ).filter((call) => {
      const is = (name: string, value: string | null) =>
        !form.has(name) || form.get(name) === value;
      const started = call.start_time === null ? undefined : new Date(call.start_time);
      return is("To", call.to) && is("From", call.from) && is("Status", call.status) &&
        is("ParentCallSid", null) && startsIn(started, form);
    });
    found.sort((one, other) => Date.parse(other.date_created) - Date.parse(one.date_created));
    return page(path, "calls", found.slice(0, Number(form.get("PageSize") ?? 50)));
  }

  #resource(record: CallRecord) {
    const made = this.#made.get(record.callSid);
    const ended = record.all("hangup").at(-1);
    const { dialledAt, startedAt } = record;
    const queuedMs = (dialledAt ?? this.#simulator.clock.now()).getTime() - startedAt.getTime();
    return {
      sid: record.callSid,
      account_sid: this.#accountSid,
      parent_call_sid: null,
      to: record.to,
      from: record.from,
      status: record.status,
      direction: made === undefined ? "inbound" : "outbound-api",
      date_created: (made?.createdAt ?? startedAt).toUTCString(),
      start_time: dialledAt?.toUTCString() ?? null,
      end_time: ended ? new Date(startedAt.getTime() + ended.atMs).toUTCString() : null,
      duration: ended ? String(record.durationSeconds) : null,
      queue_time: String(queuedMs),
      answered_by: record.answeredBy ?? null,
      api_version: "2010-04-01",
      uri: `/2010-04-01/Accounts/${this.#accountSid}/Calls/${record.callSid}.json`,
    };
  }

  #queues(
    method: string,
    path: string,
    form: Form,
    sid: string | undefined,
    member: string | undefined,
    which: string | undefined,
  ): Response {
    const { exchange } = this.#simulator;
    const queues = exchange.queues(this.#accountSid);
    const resource = (queue: (typeof queues)[number]) => ({
      sid: queue.sid,
      account_sid: this.#accountSid,
      friendly_name: queue.name,
      current_size: queue.members.length,
      max_size: queue.maxSize,
      average_wait_time: queue.averageSeconds(),
      date_created: queue.madeAt.toUTCString(),
    });
    if (sid === undefined) return page(path, "queues", queues.map(resource));
    const queue = queues.find((each) => each.sid === sid);
    if (queue === undefined) return notFound(path);
    if (member === undefined && method === "DELETE") {
      return exchange.deleteQueue(queue)
        ? new Response(null, { status: 204 })
        : failure(400, 20001, "Only an empty queue can be deleted");
    }
    if (member === undefined) return Response.json(resource(queue));
    const members = queue.members.map(({ call, joinedAt }, at) => ({
      call_sid: call.record.callSid,
      queue_sid: queue.sid,
      date_enqueued: joinedAt.toUTCString(),
      position: at + 1,
      wait_time: call.secondsSince(joinedAt),
    }));
    if (member !== "Members") return notFound(path);
    if (which === undefined) return page(path, "queue_members", members);
    const found = which === "Front"
      ? members[0]
      : members.find(({ call_sid }) => call_sid === which);
    if (found === undefined) return notFound(path);
    if (method === "POST") {
      const document = documentOf(form);
      if (document instanceof Response) return document;
      if (document === undefined) return failure(400, 21205, "Url parameter is required.");
      this.#simulator.update(found.call_sid, document);
    }
    return Response.json(found);
  }
}

/** What a request has carried out: `Url` goes before `Twiml`. Or the refusal. */
function documentOf(form: Form): RestCall["document"] | Response | undefined {
  const [url, twiml] = [form.get("Url"), form.get("Twiml")];
  if (url !== null) {
    if (!/^https?:\/\//.test(url)) return failure(400, 21205, `Url is not a valid URL: ${url}`);
    return { url, method: methodOf(form, "Method"), params: {} };
  }
  if (twiml === null) return undefined;
  if (twiml.length <= MAX_TWIML) return { twiml };
  return failure(400, 32018, `Twiml is longer than ${MAX_TWIML} characters`);
}

/** What a request says of machine detection. Or the refusal. */
function detectionOf(form: Form): RestCall["detection"] | Response {
  const mode = form.get("MachineDetection");
  if (mode === null) return undefined;
  if (mode !== "Enable" && mode !== "DetectMessageEnd") {
    return failure(400, 21260, `MachineDetection ${mode} is not valid`);
  }
  const url = form.get("AsyncAmdStatusCallback");
  const isAsync = form.get("AsyncAmd") === "true";
  if (isAsync && url === null) {
    return failure(400, 21262, "AsyncAmd needs an AsyncAmdStatusCallback");
  }
  return {
    mode,
    ...(isAsync && {
      callback: { url: url!, method: methodOf(form, "AsyncAmdStatusCallbackMethod") },
    }),
    ...seconds(form, "MachineDetectionTimeout", "timeout"),
  };
}

function methodOf(form: Form, name: string): "GET" | "POST" {
  return form.get(name) === "GET" ? "GET" : "POST";
}

function seconds(form: Form, name: string, as: "timeout" | "timeLimit") {
  const value = Number(form.get(name));
  return value > 0 ? { [as]: value } : {};
}

function isNumber(text: string): boolean {
  return /^\+[1-9]\d{6,14}$/.test(text);
}

/** `StartTime` names a day; with `>` or `<` behind it, from or until that moment. */
function startsIn(started: Date | undefined, form: Form): boolean {
  const [day, from, until] = [
    form.get("StartTime"),
    form.get("StartTime>"),
    form.get("StartTime<"),
  ];
  if (day === null && from === null && until === null) return true;
  if (started === undefined) return false;
  return (day === null || started.toISOString().startsWith(day.slice(0, 10))) &&
    (from === null || started >= new Date(from)) && (until === null || started <= new Date(until));
}
