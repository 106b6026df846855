// Twilio's REST API over the calls of the simulator, as far as voice-reconcile asks.
// Source: https://www.twilio.com/docs/voice/api/call-resource and its neighbours.

import type { CallEvent, CallRecord } from "../../scripts/phone/mod.ts";

export interface FakeTwilio {
  /** For `TWILIO_API_URL`. */
  readonly url: string;
  /** The account's calls; the newest last. */
  readonly calls: CallRecord[];
  /** The calls of its sub-accounts, which the same credentials open. */
  readonly subaccounts: Record<string, CallRecord[]>;
  /** What was asked, path and query behind the account. */
  readonly asked: string[];
  /** Recordings that were deleted, each with its account. */
  readonly deleted: { readonly account: string; readonly sid: string }[];
  /** Answers instead, where it answers. */
  fault: ((path: string) => Response | undefined) | undefined;
  stop(): Promise<void>;
}

/** Twilio has its log of a call this long after the call's end. Milliseconds. */
const LOGGED_AFTER_MS = 15 * 60 * 1000;

/** Serves the calls in `calls`, for the account's credentials. */
export function fakeTwilio(accountSid: string, authToken: string): FakeTwilio {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const url = new URL(request.url);
    const [prefix = "", asked = ""] = /^\/2010-04-01\/Accounts\/(AC\w+)/.exec(url.pathname) ?? [];
    const calls = asked === accountSid ? twilio.calls : twilio.subaccounts[asked];
    if (request.headers.get("authorization") !== `Basic ${btoa(`${accountSid}:${authToken}`)}`) {
      return failure(401, 20003, "Authenticate");
    }
    const path = url.pathname.slice(prefix.length);
    twilio.asked.push(`${path}${url.search}`);
    if (calls === undefined) return failure(404, 20404, "was not found");
    const fault = twilio.fault?.(path);
    if (fault !== undefined) return fault;
    if (request.method === "DELETE") {
      const sid = /^\/Recordings\/(RE\w+)\.json$/.exec(path)?.[1];
      const known = sid !== undefined &&
        calls.some((call) =>
          call.all("recorded").map(recordingResource(call)).some((r) => r.sid === sid)
        ) &&
        !twilio.deleted.some((each) => each.sid === sid);
      if (!known) return failure(404, 20404, "was not found");
      twilio.deleted.push({ account: asked, sid });
      return new Response(null, { status: 204 });
    }
    return answer(calls, path.replace(/\.json$/, ""), url.searchParams) ??
      failure(404, 20404, `The requested resource ${url.pathname} was not found`);
  });
  const twilio: FakeTwilio = {
    url: `http://127.0.0.1:${server.addr.port}`,
    calls: [],
    subaccounts: {},
    asked: [],
    deleted: [],
    fault: undefined,
    stop: () => server.shutdown(),
  };
  return twilio;
}

/** What Twilio answers with where it refuses; 429 with 20429: too many requests. */
export function failure(status: number, code: number, message: string): Response {
  return Response.json({ code, message, more_info: "", status }, { status });
}

function answer(
  calls: readonly CallRecord[],
  path: string,
  query: URLSearchParams,
): Response | undefined {
  const [, collection, sid, member] = path.split("/");
  if (collection === "Calls" && sid === undefined) {
    const parent = query.get("ParentCallSid");
    const found = parent === null
      ? calls.toReversed().map(callResource)
      : calls.filter(({ callSid }) => callSid === parent).flatMap(legResources);
    const size = Number(query.get("PageSize") ?? 50);
    // The token names the last call of the page before, so that a newer one moves nothing.
    const from = found.findIndex((each) => each.sid === query.get("PageToken")) + 1;
    const page = found.slice(from, from + size);
    const token = `PageSize=${size}&Page=1&PageToken=${page.at(-1)?.sid}`;
    const more = from + size < found.length;
    return Response.json({
      calls: page,
      next_page_uri: more ? `/2010-04-01/Accounts/AC/Calls.json?${token}` : null,
    });
  }
  if (collection === "Calls") {
    const call = calls.find(({ callSid }) => callSid === sid);
    if (call === undefined) return undefined;
    if (member === undefined) return Response.json(callResource(call));
    if (member === "Recordings") {
      return Response.json({ recordings: call.all("recorded").map(recordingResource(call)) });
    }
    if (member === "Events") {
      const logged = endOf(call).getTime() < Date.now() - LOGGED_AFTER_MS;
      return Response.json({ events: logged ? exchanges(call) : [] });
    }
  }
  if (collection === "Recordings" && member === "Transcriptions") {
    return Response.json({
      transcriptions: calls.flatMap(({ webhooks }) => webhooks)
        .filter(({ kind, attempt, params }) =>
          kind === "transcription" && attempt === 0 && params.RecordingSid === sid
        )
        .map(({ params }) => ({
          sid: params.TranscriptionSid,
          status: params.TranscriptionStatus,
          transcription_text: params.TranscriptionText,
        })),
    });
  }
  return undefined;
}

function at(call: CallRecord, event: CallEvent | undefined): Date {
  return new Date(call.startedAt.getTime() + (event?.atMs ?? 0));
}

function endOf(call: CallRecord): Date {
  return at(call, call.all("hangup").at(-1));
}

function callResource(call: CallRecord) {
  const over = call.endedBy !== undefined;
  return {
    sid: call.callSid,
    parent_call_sid: null,
    status: call.status,
    direction: "inbound",
    from: call.from,
    to: call.to,
    start_time: call.startedAt.toUTCString(),
    end_time: over ? endOf(call).toUTCString() : null,
    duration: over ? String(call.durationSeconds) : null,
  };
}

function legResources(call: CallRecord) {
  const dialled = call.all("dialled");
  return call.all("leg").map((leg, nth) => ({
    sid: leg.sid,
    parent_call_sid: call.callSid,
    status: leg.status,
    direction: "outbound-dial",
    from: call.from,
    to: leg.number,
    start_time: at(call, leg).toUTCString(),
    end_time: at(call, dialled[nth]).toUTCString(),
    duration: String(dialled[nth]?.talkSeconds ?? 0),
  }));
}

function recordingResource(call: CallRecord) {
  return (recorded: Extract<CallEvent, { kind: "recorded" }>) => ({
    sid: recorded.sid,
    call_sid: call.callSid,
    status: recorded.seconds === 0 ? "absent" : "completed",
    source: recorded.source,
    duration: String(recorded.seconds),
    date_created: at(call, recorded).toUTCString(),
  });
}

function exchanges(call: CallRecord) {
  return call.webhooks.filter(({ kind }) => kind === "twiml").map((webhook) => ({
    request: {
      method: webhook.method,
      url: webhook.url,
      parameters: Object.fromEntries(
        Object.entries(webhook.params).map(([name, value]) => [
          name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase(),
          value,
        ]),
      ),
    },
    response: {
      response_code: webhook.status,
      request_duration: Math.round(webhook.ms),
      content_type: webhook.headers["content-type"] ?? null,
      date_created: webhook.startedAt.toUTCString(),
      response_body: webhook.body,
    },
  }));
}
