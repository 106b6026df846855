import { assertEquals } from "@std/assert/equals.js";
import type { AcceptOutcome, VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import type { AcceptVoiceEvent } from "../../supabase/functions/_shared/db/voice_events.ts";
import type { CallLimit } from "../../supabase/functions/_shared/calls/call_limits.ts";
import {
  type AskLimiter,
  limitedBy,
  type LimiterOptions,
} from "../../supabase/functions/_shared/limits/limited_accept.ts";
import type { LogFields } from "../../supabase/functions/_shared/log.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { withBackground } from "../support/background.ts";

const LIMIT: CallLimit = {
  identifier_type: "caller",
  identifier: "+15551234567",
  max: 10,
  window_sec: 60,
};
const ACCEPTED: AcceptOutcome = {
  kind: "accepted",
  duplicate: false,
  call: { status: "ringing", mode: "menu", consent_given: null },
};
const UNAVAILABLE: AcceptOutcome = { kind: "unavailable", reason: "TimeoutError" };
const admit: AskLimiter = () => Promise.resolve(undefined);
const refuse: AskLimiter = () => Promise.resolve(LIMIT);

interface Observed {
  readonly accepted: VoiceEvent[];
  readonly logged: LogFields[];
  readonly reported: unknown[];
}

/** The decorated accept, and what it does to its surroundings. */
function limited(
  ask: AskLimiter,
  accept: AcceptVoiceEvent,
  options: Partial<LimiterOptions> = {},
): { accept: AcceptVoiceEvent } & Observed {
  const accepted: VoiceEvent[] = [];
  const logged: LogFields[] = [];
  const reported: unknown[] = [];
  return {
    accepted,
    logged,
    reported,
    accept: limitedBy(ask, (event) => {
      accepted.push(event);
      return accept(event);
    }, {
      backend: "upstash",
      log: (level, fields) => logged.push({ level, ...fields }),
      report: (...event) => {
        reported.push(event);
        return Promise.resolve();
      },
      ...options,
    }),
  };
}

const limitedEvent = () => voiceEvent(newCallSid(), { limits: [LIMIT] });

Deno.test("the database decides on what the limiter admits, and counts it too", async () => {
  const outcomes: AcceptOutcome[] = [
    ACCEPTED,
    { kind: "rate_limited" },
    UNAVAILABLE,
    { kind: "conflict" },
    { kind: "refused", code: "23514" },
  ];
  for (const outcome of outcomes) {
    const { accept, accepted } = limited(admit, () => Promise.resolve(outcome));
    const event = limitedEvent();
    assertEquals(await accept(event), outcome);
    assertEquals(accepted, [event]);
  }
});

Deno.test("an event under no limit never reaches the limiter", async () => {
  const { accept, accepted } = limited(
    () => Promise.reject(new Error("asked")),
    () => Promise.resolve(ACCEPTED),
  );
  for (const limits of [undefined, []]) {
    const event = voiceEvent(newCallSid(), { limits });
    assertEquals(await accept(event), ACCEPTED);
    assertEquals(accepted.at(-1), event);
  }
});

Deno.test("what the limiter refuses is accepted as refused, once, under the limit that refused it", async () => {
  const { accept, accepted } = limited(refuse, () => Promise.resolve({ kind: "rate_limited" }));
  const event = limitedEvent();
  assertEquals(await accept(event), { kind: "rate_limited" });
  assertEquals(accepted, [{ ...event, rate_limited: true, limits: [LIMIT] }]);
});

Deno.test("a refusal stands when the database does not keep it; a copy of a call that was let in before is let in", async () => {
  for (const outcome of [UNAVAILABLE, { kind: "conflict" }] as const) {
    const { accept } = limited(refuse, () => Promise.resolve(outcome));
    assertEquals(await accept(limitedEvent()), { kind: "rate_limited" });
  }
  const copy = { ...ACCEPTED, duplicate: true } as AcceptOutcome;
  const { accept } = limited(refuse, () => Promise.resolve(copy));
  assertEquals(await accept(limitedEvent()), copy);
});

Deno.test("where the limiter fails the database decides, with a line in the log and an event for operators", async () => {
  const { accept, accepted, logged, reported } = limited(
    () => Promise.reject(new TypeError("error sending request")),
    () => Promise.resolve(ACCEPTED),
  );
  const event = limitedEvent();
  assertEquals(await withBackground(() => accept(event)), ACCEPTED);
  // With its limits.
  assertEquals(accepted, [event]);
  assertEquals(logged, [{
    level: "warn",
    function: "voice-frontdoor",
    call_sid: event.call_sid,
    outcome: "rate_limiter_unavailable",
    backend: "upstash",
    reason: "TypeError",
    detail: "error sending request",
  }]);
  assertEquals(reported, [[
    "rate_limiter_unavailable",
    "warning",
    { backend: "upstash", reason: "TypeError" },
  ]]);
});

Deno.test("neither the log nor the event repeats a command, which names the caller", async () => {
  const { accept, logged, reported } = limited(
    () => Promise.reject(new Error('ERR no, command was: ["EVALSHA","+15551234567"]')),
    () => Promise.resolve(ACCEPTED),
  );
  await accept(limitedEvent());
  assertEquals(logged[0]?.["detail"], "ERR no");
  assertEquals(JSON.stringify([logged, reported]).includes("5551234567"), false);
});

Deno.test("the caller does not wait for the event about a limiter that fails, nor see it fail", async () => {
  const report = Promise.withResolvers<void>();
  const { accept } = limited(
    () => Promise.reject(new TypeError()),
    () => Promise.resolve(ACCEPTED),
    { report: () => report.promise },
  );
  await withBackground(async () => {
    assertEquals(await accept(limitedEvent()), ACCEPTED);
    report.reject(new Error("the database is away too"));
  });
});

Deno.test("a limiter's signal aborts at its deadline", async () => {
  const { accept, logged } = limited(
    (_event, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    () => Promise.resolve(ACCEPTED),
    { deadlineMs: 5 },
  );
  // What waits only for an AbortSignal.timeout does not keep the event loop alive.
  const alive = setInterval(() => {}, 1);
  assertEquals(await accept(limitedEvent()), ACCEPTED);
  clearInterval(alive);
  assertEquals(logged[0]?.["reason"], "TimeoutError");
});
