import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { main as task } from "../../scripts/search/main.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

// The command; what it is answered is in functions/call_search_test.ts.

const system = await startTestStack();
Deno.test.afterAll(() => system.stop());

const ORG = "11111111-1111-4111-8111-111111111111";

/** Runs `task search`. */
async function command(...args: string[]) {
  const lines: string[] = [];
  let bytes = "";
  const code = await task([...args, "--url", system.url], {
    env: (name) => name === "SUPABASE_SERVICE_ROLE_KEY" ? LOCAL_SECRET_KEY : undefined,
    print: (line) => lines.push(line),
    write: (part) => Promise.resolve(bytes += new TextDecoder().decode(part)),
  });
  return { code, text: lines.join("\n"), bytes };
}

Deno.test("task search prints what it finds, and fails where there is nothing", async () => {
  const event = voiceEvent(newCallSid(), {
    from_e164: "+14165550777" as never,
    call_status: "completed",
    recording_sid: recordingSid(1),
    recording_source: "voicemail",
    recording_duration_sec: 20,
    transcript: "The thermostat blinks",
  });
  await system.db.sql`select accept_voice_event(${system.db.sql.json(event as never)})`;
  const { code, text } = await command("thermostat", "--from", "2020-01-01", "--has", "voicemail");
  assertEquals(code, 0);
  assert(
    /UTC {2}voicemail {2}\+14165550777 {2}at 0:\d\d\n {4}(The )?thermostat blinks/.test(text),
    text,
  );
  assertEquals((await command("thermostat", "--to", "2020-01-01")).code, 1);
  const { bytes } = await command("thermostat", "--csv");
  assertEquals(bytes.split("\r\n").length, 3);
});

Deno.test("task search names an option that is wrong", async () => {
  assertEquals((await command()).code, 2);
  assertEquals((await command("late", "fee")).code, 2);
  assertEquals((await command("x", "--limit", "101")).code, 2);
  assertEquals((await command("x", "--csv", "--json")).code, 2);
  assertEquals((await command("import")).code, 2);
  assertEquals(
    (await command("x", "--has", "voicemial")).text.split(" of ")[0],
    "--has must be one",
  );
  for (
    const wrong of [
      ["--direction", "up"],
      ["--from", "2026-11-22", "--to", "2026-11-21"],
      ["--min-seconds", "10", "--max-seconds", "5"],
    ]
  ) {
    const { code, text } = await command("x", ...wrong);
    assertEquals([code, text.startsWith(`${wrong.at(-2)} must`)], [2, true], text);
  }
});

Deno.test("task search import says what was added, and each line that was not", async () => {
  const file = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    await Deno.writeTextFile(file, "phone,name\n+14035550177,Ferdinand\nx,Nobody\n");
    const { code, text } = await command("import", file, "--org", ORG);
    assertEquals(code, 1);
    assert(
      text.startsWith("1 added, 0 changed, 0 as they were\nLine 3 is rejected: phone must"),
      text,
    );
  } finally {
    await Deno.remove(file);
  }
});
