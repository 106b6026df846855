import { delay } from "@std/async/delay.js";
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { encodeHex } from "@std/encoding/hex.js";
import type { Page } from "playwright-core";
import { storeAudio } from "../../supabase/functions/_shared/storage.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { wav } from "../support/audio.ts";
import { accessibilityFaults, browserTests } from "../support/browser.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";

// The pages as a person has them, in a real Chromium.

const { lab, test, caller } = browserTests();

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

async function call(page: Page, from: string): Promise<void> {
  await page.getByLabel("Your number").fill(from);
  await button(page, "Call").click();
  // The first prompt that listens.
  await page.getByText("A key or words interrupt.").waitFor();
}

/** The row of a number among the recent calls. */
const recentCall = (page: Page, shown: string) =>
  page.locator("#calls > li").filter({ hasText: shown });

test("a call made with the mouse is connected, and the operator sees each step of it", async (open) => {
  const { page: phone } = await open("phone");
  const { page: operator } = await open("operator");
  const { e164, shown } = caller();
  await operator.getByText("Nobody is on the line.").waitFor();
  await phone.getByLabel("Your number").fill(e164);
  await button(phone, "Call").click();
  const row = operator.locator("#active li").filter({ hasText: shown });
  await row.waitFor();
  await phone.getByText("A key or words interrupt.").waitFor();
  await button(phone, "1").click();
  await button(phone, "Answer").click();
  await phone.getByText("You are talking.").waitFor();
  await operator.locator("#active li").filter({ hasText: "sales" }).waitFor();
  await button(phone, "The other person hangs up").click();
  await phone.getByText("Call ended").waitFor();
  await recentCall(operator, shown).getByText("Connected").waitFor();
  await row.waitFor({ state: "detached" });
});

test("the operator's page shows a call as it comes, without asking", async (open) => {
  const { page: phone } = await open("phone");
  const { page: operator } = await open("operator");
  await operator.getByText("Live", { exact: true }).waitFor();
  const asked: string[] = [];
  operator.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const { e164, shown } = caller();
  await phone.getByLabel("Your number").fill(e164);
  await button(phone, "Call").click();
  await operator.locator("#active li").filter({ hasText: shown }).waitFor();
  await recentCall(operator, shown).waitFor();
  await button(phone, "Hang up").click();
  await operator.locator("#active li").filter({ hasText: shown }).waitFor({ state: "detached" });
  assertEquals(asked, []);
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

test("a voicemail is recorded from the microphone, played, and marked as handled", async (open) => {
  const { page: phone } = await open("phone");
  const { page: operator } = await open("operator");
  const { e164, shown } = caller();
  await call(phone, e164);
  await button(phone, "9").click();
  await button(phone, "Record with the microphone").click();
  await phone.getByLabel("What you say").fill("Please call me back.");
  // Long enough to be transcribed.
  await phone.waitForTimeout(2600);
  await button(phone, "Done (#)").click();

  const message = operator.locator("#voicemails > li").filter({ hasText: shown });
  const player = message.locator("audio");
  await player.waitFor();
  const heard = await player.evaluate(async (element) => {
    const audio = element as unknown as {
      play(): Promise<void>;
      currentTime: number;
      addEventListener(name: string, listener: () => void): void;
    };
    await audio.play();
    audio.currentTime = 1.5;
    // Still the same player when the transcript has come: nothing stops who is listening.
    await new Promise<void>((resolve) => audio.addEventListener("ended", resolve));
    const length = audio.currentTime;
    // It can be heard again from anywhere.
    audio.currentTime = 1;
    await new Promise<void>((resolve) => audio.addEventListener("seeked", resolve));
    return { length, again: audio.currentTime };
  });
  assert(heard.length > 2, `played ${heard.length} s`);
  assertEquals(heard.again, 1);
  await message.getByText("Please call me back.").waitFor();

  await operator.getByRole("button", { name: `Mark as handled: the voicemail of ${shown}` })
    .click();
  await message.waitFor({ state: "detached" });
  await operator.getByRole("button", { name: "Undo" }).click();
  await message.waitFor();
  await message.getByRole("button").click();
  await message.waitFor({ state: "detached" });
  const [row] = await lab().hotline.db.sql`
    select handled_at from recordings join call_logs using (call_sid) where from_e164 = ${e164}`;
  assert(row?.["handled_at"] instanceof Date);
});

test("without a microphone a sample message is left, and can be heard", async (open) => {
  const { page: phone } = await open("phone", { permissions: [] });
  const { page: operator } = await open("operator");
  const { e164, shown } = caller();
  await call(phone, e164);
  await button(phone, "9").click();
  await phone.getByLabel("What you say").fill("A short word");
  await button(phone, "Leave a sample recording").click();
  await phone.getByText("You left a voicemail.").waitFor();
  const player = operator.locator("#voicemails > li").filter({ hasText: shown }).locator("audio");
  const source = await player.getAttribute("src");
  const response = await operator.request.get(lab().url + source);
  assertEquals([response.status(), response.headers()["content-type"]], [200, "audio/wav"]);
  // Three seconds at 8,000 frames of 16 bit.
  assertEquals((await response.body()).length, 44 + 3 * 16_000);
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
  const { page: operator } = await open("operator");
  const { e164, shown } = caller();
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
  await recentCall(operator, shown).getByText("dental, version 1").waitFor();
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
  const { page: operator } = await open("operator");
  const { e164, shown } = caller();
  await call(page, e164);
  await close();
  await recentCall(operator, shown).getByText("Abandoned").waitFor();
});

test("everything can be done with the keyboard alone", async (open) => {
  const { page } = await open("phone");
  const { e164, shown } = caller();
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
  await tabTo("Operator");
  await page.keyboard.press("Enter");
  await recentCall(page, shown).waitFor();
  await tabTo("Search calls");
  await page.keyboard.type(e164.slice(-4));
  await page.getByText("1 call found").waitFor();
  await tabTo(shown);
  await page.keyboard.press("Enter");
  await recentCall(page, shown).getByText("arrived", { exact: true }).waitFor();
});

test("calls are searched by number, and opened to their events", async (open) => {
  const [one, other] = [caller(), caller()];
  await lab().hotline.ring({ keys: ["1"] }, { from: one.e164 });
  await lab().hotline.ring({ keys: ["2"] }, { from: other.e164 });
  const { page } = await open("operator");
  await recentCall(page, other.shown).waitFor();
  await page.getByLabel("Search calls").fill(one.shown.slice(-8));
  await recentCall(page, other.shown).waitFor({ state: "detached" });
  await recentCall(page, one.shown).locator("summary").first().click();
  const timeline = recentCall(page, one.shown).locator(".timeline");
  await timeline.getByText("dialled leg").first().waitFor();
  assertMatch(await timeline.innerText(), /arrived[^]*consent[^]*dial ended/);
  // What comes while it is open does not close it, nor the search.
  await lab().hotline.ring({ keys: ["1"] }, { from: caller().e164 });
  await page.waitForTimeout(600);
  assert(await timeline.isVisible());
  assertEquals(await page.locator("#calls > li").count(), 1);
  await page.getByLabel("Search calls").fill("99999999");
  await page.getByText("No call from or to a number with “99999999”.").waitFor();
});

test("what a caller says stays text", async (open) => {
  const { e164, shown } = caller();
  const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b>'"`;
  await lab().hotline.ring(
    { keys: ["9"], voicemail: { seconds: 9, transcript: hostile } },
    { from: e164 },
  );
  const { page } = await open("operator");
  const message = page.locator("#voicemails > li").filter({ hasText: shown });
  assertEquals(await message.locator("blockquote").innerText(), hostile);
  assertEquals(await message.locator("img, script, b").count(), 0);
  await recentCall(page, shown).locator("summary").first().click();
  await recentCall(page, shown).getByText(hostile).first().waitFor();
  assertEquals(await page.locator("#calls img, #calls script").count(), 0);
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
      const { e164 } = caller();
      await lab().hotline.ring(
        { keys: ["9"], voicemail: { seconds: 9, transcript: "One two three" } },
        { from: e164 },
      );
      const options = { colorScheme, viewport: { width, height: 800 } };
      const { page: phone } = await open("phone", options);
      const { page: operator } = await open("operator", options);
      const widthOf = (page: Page) =>
        // deno-lint-ignore no-explicit-any -- the page's
        page.evaluate(() => (globalThis as any).document.documentElement.scrollWidth);

      const lookAtPhone = async () => {
        assertEquals(await accessibilityFaults(phone), []);
        await call(phone, caller().e164);
        await button(phone, "9").click();
        await button(phone, "Record with the microphone").waitFor();
        assertEquals(await accessibilityFaults(phone), []);
        assertEquals(await widthOf(phone), width);
        assert(await isUncovered(phone, "#hangup"), "the caller cannot hang up without scrolling");
      };
      const lookAtOperator = async () => {
        await operator.locator("#active li").first().waitFor();
        await operator.locator("#calls summary").first().click();
        await operator.locator(".timeline li").first().waitFor();
        assertEquals(await accessibilityFaults(operator), []);
        assertEquals(await widthOf(operator), width);
      };
      await Promise.all([lookAtPhone(), lookAtOperator()]);
      await button(phone, "Hang up").click();
      await phone.getByText("Call ended").waitFor();
    });
  }
}

test("before the first figures the page claims neither an empty line nor an empty voicemail box", async (open) => {
  let answer = () => {};
  const { page } = await open("operator", {
    prepare: (page) =>
      page.route("**/api/live", (route) => {
        answer = () => void route.continue();
      }),
  });
  await page.getByText("Loading…").waitFor();
  assertEquals(await page.getByRole("heading", { level: 2 }).count(), 0);
  assertEquals(await accessibilityFaults(page), []);
  answer();
  await page.getByRole("heading", { name: "Recent calls" }).waitFor();
  assertEquals(await page.getByText("Loading…").isVisible(), false);
});

test("a database outage is shown, and cleared when it ends", async (open) => {
  const { page } = await open("operator");
  await page.getByText("Live", { exact: true }).waitFor();
  const { sql } = lab().hotline.db;
  await sql`alter table call_lifecycle rename to call_lifecycle_away`;
  await page.getByText("The database does not answer.").waitFor();
  await sql`alter table call_lifecycle_away rename to call_lifecycle`;
  await page.getByText("Live", { exact: true }).waitFor();
});

test("on a bad day alerts come first, in header and tab too, and counts are the database's", async (open) => {
  const { sql } = lab().hotline.db;
  const started = "now() - make_interval(secs => n)";
  await sql.unsafe(`
    insert into call_logs (call_sid, status, from_e164, mode, started_at)
    select 'CAee' || lpad(n::text, 30, '0'), 'in-progress', '+1825555' || lpad(n::text, 4, '0'), 'sales', ${started}
    from generate_series(1, 500) as n`);
  await sql.unsafe(`
    insert into call_logs (call_sid, status, from_e164, mode, started_at, ended_at, duration_sec, recording_sid,
      recording_source, recorded_at, transcript)
    select 'CAff' || lpad(n::text, 30, '0'), 'completed', '+1780555' || lpad(n::text, 4, '0'), 'voicemail', ${started},
      now(), 30, 'RE' || lpad(n::text, 32, '0'), 'voicemail', now(), 'Please call me back.'
    from generate_series(1, 200) as n`);
  await sql`
    insert into recordings (call_sid, recording_sid, leg_sid, source, duration_sec, recorded_at, transcript, confirmed)
    select call_sid, recording_sid, call_sid, 'voicemail', 30, recorded_at, transcript, true
    from call_logs where call_sid like 'CAff000000%'`;
  await sql`
    insert into function_metrics values (date_trunc('minute', now()), 'voice-status', 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0)`;
  await sql`
    insert into health_checks (checked_at, healthy, refused_calls)
    values (now() - interval '8 minutes', false, 4), (now(), false, 4)`;
  const [open500] = await sql`
    select count(*)::text as calls, (select count(*)::text from voicemail_backlog) as messages from active_calls`;
  const critical = (await sql`
    select summary, measured from alert_status where firing and severity = 'critical'`).length;
  assert(critical >= 3);
  const alarm = `${critical} critical alerts`;

  for (const [width, height] of [[1280, 860], [360, 740]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await open("operator", { colorScheme, viewport: { width, height } });
      const tile = (name: string) =>
        page.locator(".tile").filter({ hasText: name }).locator(".value").innerText();
      await page.getByRole("link", { name: alarm }).waitFor();
      assertEquals(await page.title(), `(${alarm}) Operator – TradeLine`);
      assertEquals(await tile("Calls now"), open500!["calls"]);
      assertEquals(await tile("Voicemail waiting"), open500!["messages"]);
      assertEquals(await page.locator("#active-count").innerText(), open500!["calls"]);
      assertEquals(await page.locator("#voicemail-count").innerText(), open500!["messages"]);
      await page.getByText(`The 50 newest of ${open500!["calls"]}.`).waitFor();
      await page.getByText(`The 50 newest of ${open500!["messages"]}.`).waitFor();
      // The first thing below the header, without scrolling.
      const card = (await page.locator("#alerts-card").boundingBox())!;
      assert(card.y < height / 4, `alerts begin at ${card.y} px`);
      const first = page.locator("#alerts > li").first();
      assert((await first.boundingBox())!.y < height / 2);
      await page.locator("#alerts").getByText("4 calls, should be at most 0 calls").waitFor();
      assertEquals(
        await page.locator("#health li").filter({ hasText: "alerts" }).innerText(),
        "alerts\ncritical",
      );
      assertEquals(
        // deno-lint-ignore no-explicit-any -- the page's
        await page.evaluate(() => (globalThis as any).document.documentElement.scrollWidth),
        width,
      );
      assertEquals(await accessibilityFaults(page), []);
      await page.getByRole("link", { name: "Phone" }).click();
      assert(await page.getByRole("link", { name: alarm }).isVisible());
    }
  }

  const { page } = await open("operator");
  await page.getByLabel("Search calls").fill("+1825555");
  await page.getByText("500 calls found").waitFor({ state: "attached" });
  await page.locator("#calls-more").getByText("The 50 newest of 500.").waitFor();
  const section = page.locator("#alerts > li").filter({ hasText: "Twilio refuses calls" })
    .getByRole("link", { name: "Runbook" });
  const response = await page.request.get(lab().url + await section.getAttribute("href"));
  assertMatch(await response.text(), /^### call_concurrency\n\n\*\*Means\*\*[^#]+$/);

  await sql`delete from call_logs where call_sid ~ '^CA(ee|ff)'`;
  await sql`delete from function_metrics`;
  await sql`delete from health_checks`;
  await page.getByText("4 calls, should be at most 0 calls").waitFor({ state: "hidden" });
});
