import { delay } from "@std/async/delay.js";
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { encodeHex } from "@std/encoding/hex.js";
import type { Page } from "playwright-core";
import { Recordings } from "../../scripts/console/recordings.ts";
import { storeAudio } from "../../supabase/functions/_shared/storage.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { wav } from "../support/audio.ts";
import { accessibilityFaults, browserTests } from "../support/browser.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";

// The web phone as a person has it, in a real Chromium.

const { lab, test, caller, signIn } = browserTests();

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

async function call(page: Page, from: string): Promise<void> {
  await page.getByLabel("Your number").fill(from);
  await button(page, "Call").click();
  // The first prompt that listens.
  await page.getByText("A key or words interrupt.").waitFor();
}

/** The call of a number, once it has ended. */
async function ended(e164: string) {
  while (true) {
    // deno-lint-ignore no-await-in-loop -- until it has
    const [row] = await lab().hotline.db.sql`
      select c.disposition, c.mode, c.transcript, f.name as flow, v.version, r.recording_sid
      from call_logs as c
      left join call_flow_versions as v on v.id = c.flow_version left join call_flows as f on f.id = v.flow_id
      left join recordings as r on r.call_sid = c.call_sid
      where c.from_e164 = ${e164} and c.disposition is not null`;
    if (row !== undefined) return row;
    // deno-lint-ignore no-await-in-loop
    await delay(50);
  }
}

test("a call made with the mouse is connected, and the console shows each step of it", async (open) => {
  const { page: phone } = await open("phone");
  const { page: console } = await open("console");
  await signIn(console);
  const { e164, shown } = caller();
  await console.getByText("Nobody is on the line.").waitFor();
  await phone.getByLabel("Your number").fill(e164);
  await button(phone, "Call").click();
  const row = console.locator("section:has(#calls) li").filter({ hasText: shown });
  await row.waitFor();
  await phone.getByText("A key or words interrupt.").waitFor();
  await button(phone, "1").click();
  await button(phone, "Answer").click();
  await phone.getByText("You are talking.").waitFor();
  await row.filter({ hasText: "sales" }).waitFor();
  await button(phone, "The other person hangs up").click();
  await phone.getByText("Call ended").waitFor();
  await row.waitFor({ state: "detached" });
  await console.getByRole("link", { name: "Calls", exact: true }).click();
  await console.getByRole("listitem").filter({ hasText: shown }).getByText("Connected").waitFor();
});

test("each webhook is shown with its status, its time and its TwiML", async (open) => {
  const { page } = await open("phone");
  await call(page, caller().e164);
  const first = page.locator("#webhooks li").first();
  assertMatch(await first.innerText(), /POST[^]*\/voice-frontdoor[^]*200[^]*\d+ ms/);
  assertMatch(await first.locator(".twiml").innerText(), /^<Response>\n {2}<Say [^]*<Gather /);
  await first.getByText("parameters").click();
  assertMatch(await first.innerText(), /CallStatus\s+ringing/);
  await button(page, "Hang up").click();
  await page.getByText("You reached nobody.").waitFor();
});

test("a voicemail is recorded from the microphone, and kept; without one a sample is", async (open) => {
  for (const permissions of [["microphone"], []]) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    const { page } = await open("phone", { permissions });
    const { e164 } = caller();
    // deno-lint-ignore no-await-in-loop
    await call(page, e164);
    // deno-lint-ignore no-await-in-loop
    await button(page, "9").click();
    if (permissions.length > 0) {
      // deno-lint-ignore no-await-in-loop
      await button(page, "Record with the microphone").click();
    }
    // deno-lint-ignore no-await-in-loop
    await page.getByLabel("What you say").fill("Please call me back.");
    // Long enough to be transcribed.
    // deno-lint-ignore no-await-in-loop
    await page.waitForTimeout(2600);
    // deno-lint-ignore no-await-in-loop
    await button(page, permissions.length > 0 ? "Done (#)" : "Leave a sample recording").click();
    // deno-lint-ignore no-await-in-loop
    await page.getByText("You left a voicemail.").waitFor();
    // deno-lint-ignore no-await-in-loop
    const { recording_sid } = await ended(e164);
    // deno-lint-ignore no-await-in-loop
    const kept = await new Recordings(`${lab().dataDir}/recordings`).find(recording_sid);
    assertEquals(kept?.type, permissions.length > 0 ? "audio/webm" : "audio/wav");
    assert(kept!.bytes.length > 10_000, `${kept!.bytes.length} bytes`);
  }
});

test("words that are typed after the beep are the message, which # ends, and a hang-up keeps", async (open) => {
  const { page } = await open("phone", { permissions: [] });
  for (const end of ["#", "Hang up"]) {
    const { e164 } = caller();
    await call(page, e164);
    await button(page, "9").click();
    await page.getByLabel("What you say").waitFor();
    for (const words of ["Call me", "back, please"]) {
      await page.getByLabel("Words to say").fill(words);
      await page.keyboard.press("Enter");
    }
    await page.locator("#keypad, .hooks").getByRole("button", { name: end === "#" ? "Pound" : end })
      .click();
    await page.getByText("You left a voicemail.").waitFor();
    const transcript = async () => {
      const [row] = await lab().hotline.db.sql`
        select transcript from call_logs where from_e164 = ${e164}`;
      return row?.["transcript"];
    };
    while (await transcript() === null) await delay(50);
    assertEquals(await transcript(), "Call me back, please");
  }
});

test("a caller chooses the number to call", async (open) => {
  const { page } = await open("phone");
  const { e164 } = caller();
  await page.getByLabel("Number to call").fill("+15875550199");
  await page.getByLabel("Your number").fill(e164);
  await button(page, "Call").click();
  await page.getByText("Calling +1 587 555 0199").waitFor();
  await button(page, "Hang up").click();
  await page.getByText("Call ended").waitFor();
});

test("a line's own flow answers: its audio plays, and a voicemail box does not take the call", async (open) => {
  const stack = lab().hotline;
  const bytes = wav({ seconds: 1 });
  const hash = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  await storeAudio({ url: stack.url, key: LOCAL_SECRET_KEY }, hash, "audio/wav", bytes);
  await stack.db.sql`
    select store_prompt(null, ${hash}, 'audio/wav', 1, ${bytes.length})`;
  const definition = smallFlow();
  definition.prompts.hello = { audio: hash };
  definition.groups = { office: { members: ["+15877428885"], ring: "in_turn", confirm: true } };
  definition.nodes.hello.next = "menu";
  delete definition.nodes.open;
  delete definition.calendars;
  const { to: _, ...desk } = definition.nodes.desk;
  definition.nodes.desk = { ...desk, group: "office" };
  const line = "+15874059123";
  const { status, body } = await callFlowsAt(stack.url)("/publish", {
    definition,
    name: "dental",
    lines: [line],
  });
  assertEquals(status, 200, JSON.stringify(body));

  const { page: phone } = await open("phone");
  const { e164 } = caller();
  await phone.getByLabel("Number to call").click();
  const offered = phone.locator(`#known-lines option[value="${line}"]`);
  await offered.waitFor({ state: "attached" });
  assertEquals(await offered.textContent(), "dental, version 1");
  await phone.getByLabel("Number to call").fill(line);
  await phone.getByLabel("Your number").fill(e164);
  const played = phone.waitForResponse((response) => response.url().endsWith(`/prompts/${hash}`));
  await button(phone, "Call").click();
  assertMatch(String((await played).status()), /^20[06]$/);
  await phone.getByText("For the front desk, press 1.").first().waitFor();
  await phone.getByText("A key or words interrupt.").waitFor();
  await button(phone, "1").click();
  await button(phone, "A voicemail box answers").click();
  await phone.getByText("They hear, and you do not:").waitFor();
  await phone.getByText("Nobody took the call.").waitFor();
  await phone.getByText("Please leave a message").first().waitFor();
  await button(phone, "Hang up").click();
  const { flow, version } = await ended(e164);
  assertEquals([flow, Number(version)], ["dental", 1]);
});

test("a busy person, words instead of keys, and hanging up while it rings", async (open) => {
  const { page } = await open("phone");
  await call(page, caller().e164);
  await page.getByLabel("Words to say").fill("support please");
  await page.keyboard.press("Enter");
  await button(page, "Busy").click();
  await page.getByText("Not reached: busy.").waitFor();
  await button(page, "Hang up").click();
  await page.getByText("Call ended").waitFor();

  await page.getByLabel("Your number").fill(caller().e164);
  await page.getByLabel("Your number").press("Enter");
  await page.getByText("A key or words interrupt.").waitFor();
  await button(page, "2").click();
  await button(page, "Answer").waitFor();
  await button(page, "Hang up").click();
  await page.getByText("You reached nobody.").waitFor();
  assertEquals(await button(page, "Answer").count(), 0);
});

test("closing the page hangs up", async (open) => {
  const { page, close } = await open("phone");
  const { e164 } = caller();
  await call(page, e164);
  await close();
  assertEquals((await ended(e164)).disposition, "abandoned");
});

test("everything can be done with the keyboard alone", async (open) => {
  const { page } = await open("phone");
  const { e164 } = caller();
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => {
        // deno-lint-ignore no-explicit-any -- the page's
        const element = (globalThis as any).document.activeElement;
        return {
          name: element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ??
            element.innerText,
          // deno-lint-ignore no-explicit-any -- the page's
          outline: (globalThis as any).getComputedStyle(element).outlineStyle,
        };
      });
      if (!focused.name?.startsWith(name)) continue;
      assertEquals(focused.outline, "solid", `${name} does not show that it has the focus`);
      return;
    }
    throw new Error(`Cannot reach "${name}" by Tab`);
  };
  await tabTo("Your number");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(e164);
  await tabTo("Call");
  await page.keyboard.press("Enter");
  await page.getByText("A key or words interrupt.").waitFor();
  await page.keyboard.press("1");
  await button(page, "Answer").waitFor();
  await tabTo("Answer");
  await page.keyboard.press("Enter");
  await tabTo("The other person hangs up");
  await page.keyboard.press("Enter");
  await page.getByText("Call ended").waitFor();
  assertEquals((await ended(e164)).disposition, "connected");
  await tabTo("Console");
});

/** Whether a click on the middle of an element would be a click on it, as the page is now. */
const isUncovered = (page: Page, selector: string) =>
  page.evaluate((selector) => {
    // deno-lint-ignore no-explicit-any -- the page's
    const { document } = globalThis as any;
    const element = document.querySelector(selector);
    const { x, y, width, height } = element.getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2) === element;
  }, selector);

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    test(`${colorScheme} at ${width} px: accessible, and nothing runs over the edge`, async (open) => {
      const options = { colorScheme, viewport: { width, height: 800 } };
      const { page: phone } = await open("phone", options);
      assertEquals(await accessibilityFaults(phone), []);
      await call(phone, caller().e164);
      await button(phone, "9").click();
      await button(phone, "Record with the microphone").waitFor();
      assertEquals(await accessibilityFaults(phone), []);
      assertEquals(await phone.evaluate("document.documentElement.scrollWidth"), width);
      assert(await isUncovered(phone, "#hangup"), "the caller cannot hang up without scrolling");
      await button(phone, "Hang up").click();
      await phone.getByText("Call ended").waitFor();
    });
  }
}
