import { assertEquals } from "@std/assert/equals.js";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { runCommand } from "../support/command.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { App, TOKEN } from "./phone_app.ts";

const FRONT_DOOR = "/functions/v1/voice-frontdoor";

const HOTLINE = {
  [FRONT_DOOR]:
    '<Say>Welcome</Say><Gather input="dtmf speech" numDigits="1" action="menu"><Say>Press 1</Say></Gather><Redirect>voicemail</Redirect>',
  "/functions/v1/menu": '<Dial action="after" timeout="20">+15550001111</Dial>',
  "/functions/v1/after": ({ params }: { params: Record<string, string> }) =>
    params.DialCallStatus === "completed" ? "<Hangup/>" : "<Redirect>voicemail</Redirect>",
  "/functions/v1/voicemail": '<Say>Leave a message</Say><Record action="done"/>',
  "/functions/v1/done": "<Say>Thank you</Say>",
};

const phone = (
  args: string[],
  { env, typed = "" }: { typed?: string; env?: Record<string, string> } = {},
) => runCommand("scripts/phone/cli.ts", args, { env: { TWILIO_AUTH_TOKEN: TOKEN, ...env }, typed });

Deno.test("the phone prints a scripted call line by line and ends with the outcome", async () => {
  await using app = new App(HOTLINE);
  const { code, out } = await phone([
    "--url",
    app.base + FRONT_DOOR,
    "--keys",
    "1",
    "--talk",
    "30",
  ]);
  const said = ["Welcome", "Press 1", "you press  1", "dials  +15550001111", "you talked 30 s"];
  for (const words of said) assertStringIncludes(out, words);
  assertStringIncludes(out, "completed after");
  assertStringIncludes(out, "connected to +15550001111 for 30 s");
  assertStringIncludes(out, "call_logs?call_sid=eq.CA");
  assertEquals(out.includes("\x1b["), false);
  assertEquals(code, 0);
  assertEquals(app.to("/functions/v1/voice-status").length, 1);
});

Deno.test("a number that an organisation was given rings as its sub-account, whose token signs", async () => {
  await using app = new App(HOTLINE);
  const dataDir = await Deno.makeTempDir();
  const account = { sid: `AC${"5".repeat(32)}`, auth_token: "its own token" };
  const number = { phone_number: "+15875550111", account_sid: account.sid };
  await Deno.writeTextFile(
    `${dataDir}/twilio.json`,
    JSON.stringify({ accounts: [account], numbers: [number] }),
  );
  const env = {
    TRADELINE_DATA_DIR: dataDir,
    TRADELINE_API_PORT: new URL(app.base).port,
    TWILIO_ACCOUNT_SID: "",
  };
  for (const [to, token] of [[number.phone_number, account.auth_token], ["+15875550222", TOKEN]]) {
    // deno-lint-ignore no-await-in-loop -- one call after the other
    const { code, err } = await phone(["--keys", "1", "--to", to!], { env });
    assertEquals([code, err], [0, ""]);
    const { url, params, headers } = app.to(FRONT_DOOR).at(-1)!;
    assertEquals(params["AccountSid"] === account.sid, to === number.phone_number);
    const signature = headers.get("x-twilio-signature");
    assertEquals(signature, getExpectedTwilioSignature(token!, url, params));
  }
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("keys and words are used in the order given, and a message can be left", async () => {
  await using app = new App({
    ...HOTLINE,
    "/functions/v1/menu": ({ params }: { params: Record<string, string> }) =>
      params.SpeechResult === undefined
        ? '<Dial action="after">+15550001111</Dial>'
        : '<Gather action="menu" numDigits="1"/>',
  });
  const { code, out } = await phone([
    "--url",
    app.base + FRONT_DOOR,
    ...["--say", "no recording", "--keys", "1", "--dial", "no-answer", "--message", "Call me back"],
  ]);
  assertEquals(
    app.to("/functions/v1/menu").map(({ params }) => params.SpeechResult ?? params.Digits),
    ["no recording", "1"],
  );
  assertStringIncludes(out, "left a voicemail of 3 s");
  assertEquals(code, 0);
});

Deno.test("a call can be hung up after some seconds", async () => {
  await using app = new App(HOTLINE);
  const { out } = await phone(["--url", app.base + FRONT_DOOR, "--hangup-after", "0.2"]);
  assertStringIncludes(out, "hangs up  you");
});

Deno.test("typed keys, words, silence and h drive an interactive call", async () => {
  await using app = new App(HOTLINE);
  const { code, out } = await phone(["--url", app.base + FRONT_DOOR], {
    typed: "sales please\nn\nPlease call me back tomorrow\n",
  });
  assertEquals(app.to("/functions/v1/menu")[0]?.params.SpeechResult, "sales please");
  assertEquals(app.to("/functions/v1/after")[0]?.params.DialCallStatus, "no-answer");
  assertEquals(app.to("/functions/v1/done")[0]?.params.Digits, "#");
  assertStringIncludes(out, "Thank you");
  assertEquals(code, 0);

  const silent = await phone(["--url", app.base + FRONT_DOOR], { typed: "\nh\n" });
  assertStringIncludes(silent.out, "stay silent");
  assertStringIncludes(silent.out, "hangs up  you");
});

Deno.test("--webhooks shows each request with its TwiML, --json the whole call", async () => {
  await using app = new App(HOTLINE);
  const url = app.base + FRONT_DOOR;
  const [webhooks, json] = await Promise.all([
    phone(["--url", url, "--keys", "1", "--webhooks"]),
    phone(["--url", url, "--keys", "1", "--json"]),
  ]);
  assertStringIncludes(webhooks.out, `POST ${FRONT_DOOR}  200`);
  assertStringIncludes(webhooks.out, "<Redirect>voicemail</Redirect>");
  const record = JSON.parse(json.out);
  assertEquals([record.status, record.endedBy], ["completed", "app"]);
  assertEquals(record.webhooks[0].params.CallStatus, "ringing");
});

Deno.test("where nothing answers, one line says what to do", async () => {
  const base = closedPort();
  const { code, out, err } = await phone(["--keys", "1"], {
    env: { TRADELINE_API_PORT: new URL(base).port },
  });
  assertEquals([code, out], [1, ""]);
  assertEquals(
    err.trim(),
    `Nothing answers at ${base}${FRONT_DOOR}: run \`npx -y deno@2.9.6 task start\` first`,
  );
});

Deno.test("an application error exits with 1; a refused signature names the token", async () => {
  await using app = new App({
    [FRONT_DOOR]: () => Response.json({ error: "unauthorized" }, { status: 401 }),
  });
  const { code, out, err } = await phone(["--url", app.base + FRONT_DOOR, "--keys", "1"]);
  assertEquals(code, 1);
  assertStringIncludes(out, "application error");
  assertStringIncludes(err, "TWILIO_AUTH_TOKEN");
});

Deno.test("a wrong option is named, with exit code 2; --help explains them all", async () => {
  const wrong: [args: string[], message: string][] = [
    [["--dial", "maybe"], "--dial must be one of"],
    [["--keys", "a"], "--keys must be keys"],
    [["--talk", "long"], "--talk must be a number"],
    [["--shout"], "--shout"],
  ];
  await Promise.all(wrong.map(async ([args, message]) => {
    const { code, err } = await phone(args);
    assertEquals(code, 2);
    assertStringIncludes(err, message);
  }));
  const { code, out } = await phone(["--help"]);
  assertEquals(code, 0);
  for (const option of ["--keys", "--say", "--dial", "--hangup-after", "--webhooks", "--json"]) {
    assertStringIncludes(out, option);
  }
});
