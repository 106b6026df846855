import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import type { Page } from "playwright-core";
import { Recordings } from "../../scripts/console/recordings.ts";
import { childrenOf, parseXml, textOf, type XmlElement } from "../../scripts/xml.ts";
import { type BrowserLab, browserTests } from "../support/browser.ts";
import { type WebSpeech, withWebSpeech } from "./web_speech.ts";

/** What a document says, in its order. */
function spokenIn(element: XmlElement): string[] {
  return element.name === "Say" ? [textOf(element)] : childrenOf(element).flatMap(spokenIn);
}

// The phone's voice, ears and microphone. Chromium has a microphone that plays a test tone, and refuses it where
// it is not allowed; a voice and a recogniser it has not without a desktop, so a stand-in plays them.

const LANGUAGE = "fr-CA";
const { lab, signIn, test, caller } = browserTests({
  answer: (body) =>
    body.replaceAll('language="en-US"', `language="${LANGUAGE}"`)
      .replaceAll('voice="Polly.Joanna"', 'voice="Polly.Gabrielle-Neural"'),
});

/** What the switchboard kept of a recording. */
const kept = (sid: string) => new Recordings(`${lab().dataDir}/recordings`).find(sid);

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const speakButton = (page: Page) => button(page, "Speak with the microphone");
const conversation = (page: Page) => page.getByRole("log");

async function openPhone(open: BrowserLab["open"], options: { lateVoices?: boolean } = {}) {
  let speech!: WebSpeech;
  const { page } = await open("phone", {
    async prepare(page) {
      speech = await withWebSpeech(page, options.lateVoices);
      await page.clock.install();
    },
  });
  return { page, speech };
}

async function call(page: Page): Promise<string> {
  const { e164 } = caller();
  await page.getByLabel("Your number").fill(e164);
  await button(page, "Call").click();
  return e164;
}

/** Rings, and listens until the prompt that takes keys and words is being spoken; its place. */
async function callToMenu(page: Page, speech: WebSpeech): Promise<{ from: string; nth: number }> {
  const from = await call(page);
  for (let nth = 1;; nth++) {
    // deno-lint-ignore no-await-in-loop -- one prompt after the other
    await speech.speaks(nth);
    // deno-lint-ignore no-await-in-loop
    if (await page.getByText("A key or words interrupt.").isVisible()) return { from, nth };
    // deno-lint-ignore no-await-in-loop
    await speech.finish();
  }
}

async function row(from: string) {
  const [row] = await lab().hotline.db.sql`select * from call_logs where from_e164 = ${from}`;
  return row!;
}

/** The parameters of the last request to a function, as the page shows them. */
async function lastRequest(page: Page, path: string): Promise<string> {
  const request = page.locator("#webhooks li").filter({ hasText: path }).last();
  await request.getByText("parameters").click();
  return await request.locator("dl").innerText();
}

test("prompts are spoken whole, one after the other, in the language of their TwiML", async (open) => {
  const { page, speech } = await openPhone(open);
  await call(page);
  await speech.speaks(1);
  // Far longer than it is given to read it.
  await page.clock.runFor(8000);
  assertEquals((await speech.spoken()).length, 1);
  for (const nth of [2, 3]) {
    // deno-lint-ignore no-await-in-loop -- one prompt after the other
    await speech.finish();
    // deno-lint-ignore no-await-in-loop
    await speech.speaks(nth);
  }
  await page.getByText("A key or words interrupt.").waitFor();
  await speech.finish();
  await page.getByText(/^Press a key or say it/).waitFor();
  const spoken = await speech.spoken();
  assertEquals(
    spoken.map(({ state, lang }) => [state, lang]),
    Array(3).fill(["ended", LANGUAGE]),
  );
  const twiml = await page.locator("#webhooks .twiml").first().textContent();
  assertEquals(
    spokenIn(parseXml(twiml!)),
    spoken.map(({ text }) => text),
  );
  assertEquals(
    await conversation(page).locator(".them p").allTextContents(),
    spoken.map(({ text }) => `The line: ${text}`),
  );
});

test("a voice that fails leaves time to read, and one that never ends delays nothing", async (open) => {
  const { page, speech } = await openPhone(open);
  await call(page);
  await speech.speaks(1);
  await speech.fail();
  await page.clock.runFor(500);
  assertEquals((await speech.spoken()).length, 1);
  await page.clock.runFor(6000);
  await speech.speaks(2);
  await page.clock.runFor(25_000);
  await speech.speaks(3);
  assertEquals((await speech.spoken())[1]?.state, "interrupted");
});

test("a key silences the prompt that listens, and only that", async (open) => {
  const { page, speech } = await openPhone(open);
  await call(page);
  const greeting = await speech.speaks(1);
  await button(page, "2").click();
  await page.getByText("“2” was lost").waitFor();
  assertEquals((await speech.spoken())[0], { text: greeting, lang: LANGUAGE, state: "speaking" });
  await speech.finish();
  await speech.speaks(2);
  await speech.finish();
  await speech.speaks(3);
  await button(page, "2").click();
  assertMatch(await speech.speaks(4), /Connecting you to support/);
  assertEquals((await speech.spoken()).map(({ state }) => state), [
    "ended",
    "ended",
    "interrupted",
    "speaking",
  ]);
});

test("the voice stops at once when the caller hangs up, and when the prompts are to be silent", async (open) => {
  const { page, speech } = await openPhone(open);
  await callToMenu(page, speech);
  const before = (await speech.spoken()).length;
  await page.getByLabel("Speak the prompts aloud").uncheck();
  assertEquals((await speech.spoken()).at(-1)?.state, "interrupted");
  await page.getByLabel("Speak the prompts aloud").check();
  await speech.speaks(before + 1);
  // At once: not when the line has heard of it.
  const atOnce = await page.evaluate(() => {
    // deno-lint-ignore no-explicit-any -- the page's
    const { document, webSpeech } = globalThis as any;
    document.getElementById("hangup").click();
    return webSpeech.spoken().at(-1).state;
  });
  assertEquals(atOnce, "interrupted");
  await page.getByText("Call ended").waitFor();
  assertEquals((await speech.spoken()).length, before + 1);
});

test("voices that load late are used from the next prompt on", async (open) => {
  const { page, speech } = await openPhone(open, { lateVoices: true });
  assertEquals(await page.getByLabel("Speak the prompts aloud").isVisible(), false);
  await call(page);
  await page.getByText("Keys are not heard now.").waitFor();
  await speech.load();
  await page.getByLabel("Speak the prompts aloud").waitFor();
  await page.clock.runFor(7000);
  await speech.speaks(1);
  assertMatch((await speech.spoken())[0]!.text, /This call may be recorded/);
});

test("a spoken “no” reaches the hotline as SpeechResult, and nothing is recorded", async (open) => {
  const { page, speech } = await openPhone(open);
  const { from, nth } = await callToMenu(page, speech);
  await speakButton(page).click();
  // Who listens does not talk.
  assertEquals((await speech.spoken())[nth - 1]?.state, "interrupted");
  await speech.listens();
  assertEquals((await speech.recognisers())[0]?.lang, LANGUAGE);
  await speech.say("no reco", false);
  assertEquals(await page.getByLabel("Words to say").inputValue(), "no reco");
  await speech.say("no");
  await conversation(page).locator(".me").getByText("no", { exact: true }).waitFor();
  // What comes next is spoken whole, although the recogniser ends while it begins.
  assertMatch(await speech.speaks(nth + 1), /will not be recorded/);
  await page.clock.runFor(1000);
  assertEquals((await speech.spoken())[nth]?.state, "speaking");
  assertMatch(await lastRequest(page, "/voice-consent-speech"), /SpeechResult\s+no\n/);
  assertEquals((await row(from))["consent_given"], false);
  assertEquals(await speakButton(page).getAttribute("aria-pressed"), "false");
});

test("pressing the microphone again ends what is said", async (open) => {
  const { page, speech } = await openPhone(open);
  const { from, nth } = await callToMenu(page, speech);
  await speakButton(page).click();
  await speech.listens();
  await speech.say("support", false);
  await speakButton(page).click();
  assertMatch(await speech.speaks(nth + 1), /Connecting you to support/);
  assertEquals((await row(from))["mode"], "support");
});

test("of a recogniser that breaks off, what it understood until then counts", async (open) => {
  const { page, speech } = await openPhone(open);
  const { nth } = await callToMenu(page, speech);
  await speakButton(page).click();
  await speech.listens();
  await speech.say("sales", false);
  await speech.refuse("network");
  assertMatch(await speech.speaks(nth + 1), /Connecting you to sales/);
});

test("a key pressed while the page listens counts, and what is heard afterwards does not", async (open) => {
  const { page, speech } = await openPhone(open);
  const { from, nth } = await callToMenu(page, speech);
  await speakButton(page).click();
  await speech.listens();
  await button(page, "1").click();
  assertMatch(await speech.speaks(nth + 1), /Connecting you to sales/);
  assertEquals((await speech.recognisers()).map(({ state }) => state), ["aborted"]);
  await page.clock.runFor(1000);
  assertEquals((await speech.spoken())[nth]?.state, "speaking");
  assertEquals((await row(from))["mode"], "sales");
  assertEquals(await conversation(page).getByText("said").count(), 0);
});

test("hanging up stops listening", async (open) => {
  const { page, speech } = await openPhone(open);
  await callToMenu(page, speech);
  await speakButton(page).click();
  await speech.listens();
  await button(page, "Hang up").click();
  await page.getByText("Call ended").waitFor();
  assertEquals((await speech.recognisers())[0]?.state, "aborted");
  assertEquals(await conversation(page).locator(".error").count(), 0);
});

for (
  const [error, told] of [
    ["not-allowed", "The microphone is not allowed. Allow it for this page in the browser."],
    ["service-not-allowed", "This browser does not let this page recognise speech."],
    ["network", "The browser's speech recognition is not available."],
    ["no-speech", "Nothing was heard."],
    ["bad-grammar", "Speech recognition failed (bad-grammar)."],
  ] as const
) {
  test(`a recogniser's "${error}" is reported, and the call goes on`, async (open) => {
    const { page, speech } = await openPhone(open);
    const { nth } = await callToMenu(page, speech);
    if (error !== "no-speech") await speech.refuse(error);
    await speakButton(page).click();
    if (error === "no-speech") {
      await speech.listens();
      await speech.refuse(error);
    }
    await conversation(page).getByText(`${told} Type the words instead, or press a key.`).waitFor();
    assertEquals(await speakButton(page).getAttribute("aria-pressed"), "false");
    // The prompt counts as heard: the line waits for a key now.
    await page.getByText(/^Press a key or say it/).waitFor();
    await button(page, "1").click();
    await speech.speaks(nth + 1);
  });
}

test("Chromium's own recogniser is refused where the microphone is, and says so", async (open) => {
  const { page } = await open("phone", { permissions: [] });
  await call(page);
  await page.getByText("A key or words interrupt.").waitFor();
  await speakButton(page).click();
  await conversation(page).getByText("The microphone is not allowed.").waitFor();
});

test("listening in vain ends when the line stops waiting", async (open) => {
  const { page, speech } = await openPhone(open);
  await callToMenu(page, speech);
  await speech.finish();
  await page.getByText(/^Press a key or say it, within 5 seconds/).waitFor();
  await speakButton(page).click();
  await speech.listens();
  await speech.refuse("no-speech");
  // The line's own five seconds, and not those that somebody may need to type.
  await page.getByText("You stay silent.").waitFor();
});

test("what is said into a voicemail becomes its transcript", async (open) => {
  const { page, speech } = await openPhone(open);
  const { from, nth } = await callToVoicemail(page, speech);
  await button(page, "Record with the microphone").click();
  await speech.listens();
  assertEquals((await speech.recognisers()).at(-1)?.continuous, true);
  await speech.say("Please call");
  await speech.say("me back");
  await page.waitForTimeout(2600);
  await button(page, "Done (#)").click();
  assertMatch(await speech.speaks(nth + 2), /Thank you for your message/);
  await speech.finish();
  await page.getByText("You left a voicemail.").waitFor();
  assertEquals((await speech.recognisers()).at(-1)?.state, "aborted");
  const { recording_sid } = await row(from);
  assertEquals((await kept(recording_sid))?.type, "audio/webm");
  // Transcripts come after the call.
  const { page: console } = await open("console");
  await signIn(console);
  await console.getByText("Please call me back", { exact: true }).first().waitFor();
});

test("a voicemail is recorded although its words are not recognised, and the page says so", async (open) => {
  const { page, speech } = await openPhone(open);
  const { nth } = await callToVoicemail(page, speech);
  await speech.refuse("network");
  await button(page, "Record with the microphone").click();
  await page.getByText("This browser does not transcribe speech.").waitFor();
  await page.waitForTimeout(1000);
  await page.keyboard.press("#");
  await speech.speaks(nth + 2);
  await speech.finish();
  await page.getByText("You left a voicemail.").waitFor();
});

test("where the microphone is refused a sample is used, and both are said", async (open) => {
  const { page } = await open("phone", { permissions: [] });
  const from = await call(page);
  await page.getByText("A key or words interrupt.").waitFor();
  await button(page, "9").click();
  await button(page, "Record with the microphone").click();
  await page.getByText(
    "The microphone is not allowed. Allow it for this page in the browser. " +
      "Leave the sample instead.",
  ).waitFor();
  assertEquals(await button(page, "Record with the microphone").count(), 0);
  await button(page, "Leave a sample recording").click();
  await page.getByText("A sample of 3 seconds replaces your voice.").waitFor();
  await page.getByText("You left a voicemail.").waitFor();
  const { recording_sid } = await row(from);
  assertEquals((await kept(recording_sid))?.type, "audio/wav");
});

test("a browser without voice, ears or microphone has text, and no error", async (open) => {
  const { page } = await open("phone", {
    async prepare(page) {
      await page.addInitScript(() => {
        for (
          const name of [
            "speechSynthesis",
            "SpeechSynthesisUtterance",
            "SpeechRecognition",
            "webkitSpeechRecognition",
            "MediaRecorder",
            "AudioContext",
          ]
        ) {
          if (!Reflect.deleteProperty(globalThis, name)) throw new Error(`Cannot delete ${name}`);
        }
      });
      await page.clock.install();
    },
  });
  assertEquals(await page.getByLabel("Speak the prompts aloud").isVisible(), false);
  assertEquals(await speakButton(page).isVisible(), false);
  const from = await call(page);
  await page.getByText("Keys are not heard now.").waitFor();
  await page.clock.runFor(7000);
  await page.getByText("A key or words interrupt.").waitFor();
  await page.getByLabel("Words to say").fill("leave a message");
  await page.keyboard.press("Enter");
  await page.getByText("Keys are not heard now.").waitFor();
  await page.clock.runFor(7000);
  await page.getByLabel("What you say").fill("Hello");
  assertEquals(await button(page, "Record with the microphone").count(), 0);
  await button(page, "Leave a sample recording").click();
  await page.getByText("You left a voicemail.").waitFor();
  assert((await row(from))["recording_sid"]);
});

/** Rings and chooses voicemail; every prompt is heard. */
async function callToVoicemail(page: Page, speech: WebSpeech) {
  const { from, nth } = await callToMenu(page, speech);
  await button(page, "9").click();
  await speech.speaks(nth + 1);
  await speech.finish();
  await button(page, "Record with the microphone").waitFor();
  return { from, nth };
}
