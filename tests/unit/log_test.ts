import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import { anyText } from "../support/any_text.ts";

const TIME = new Date("2026-03-04T05:06:07.000Z");

Deno.test("a log line is one line of JSON: time, level, and its fields", () => {
  assertEquals(
    formatLogLine(TIME, "warn", { function: "voice-status", status: 503, slow: true }),
    '{"time":"2026-03-04T05:06:07.000Z","level":"warn","function":"voice-status","status":503,"slow":true}',
  );
});

Deno.test("phone numbers and e-mail addresses are masked wherever they stand", () => {
  const line = formatLogLine(TIME, "error", {
    reason: 'Error: no row for "+15877428885" <jane.doe+calls@mail.example.com>',
  });
  assertEquals(JSON.parse(line).reason, 'Error: no row for "+1587***85" <***@***>');
});

Deno.test("a CallSid, a request id and numbers are left as they are", () => {
  const fields = {
    call_sid: "CA0123456789abcdef0123456789abcdef",
    request_id: "550e8400-e29b-41d4-a716-446655440000",
    ms: 12345678901,
  };
  const { time: _time, level: _level, ...kept } = JSON.parse(formatLogLine(TIME, "info", fields));
  assertEquals(kept, fields);
});

Deno.test("no text can break out of its line", () => {
  fc.assert(fc.property(anyText(), (text) => {
    const line = formatLogLine(TIME, "info", { text });
    assertEquals(/[\r\n]/.test(line), false);
    assertEquals(JSON.parse(line).level, "info");
  }));
});
