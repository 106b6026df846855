// The console's pages of search and of contacts, as a person uses them.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { sampleMessage } from "../../scripts/console/recordings.ts";
import { ensureUser } from "../../scripts/local/auth_api.ts";
import { accessibilityFaults, type BrowserLab, browserTests } from "../support/browser.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const { lab, test } = browserTests();

const EMAIL = "search@example.com";
const PASSWORD = "tradeline";
const JANE = "+14165550123";
const PHONE = { width: 360, height: 740 };
/** Whether the page is wider than the window. */
const SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth";

/** What is searched, once for the file. */
let stored: Promise<string> | undefined;
function store(): Promise<string> {
  const { db: { sql } } = lab().hotline;
  return stored ??= (async () => {
    const user = await ensureUser(sql, EMAIL, PASSWORD);
    await sql`
      insert into members (org_id, user_id, email, role, joined_at)
      values (null, ${user}, ${EMAIL}, 'owner', now())`;
    const sid = newCallSid();
    const event = voiceEvent(sid, {
      from_e164: JANE as never,
      call_status: "completed",
      recording_sid: recordingSid(1),
      recording_source: "voicemail",
      recording_duration_sec: 40,
      transcript: "Hello, this is Jane. <b>Where</b> is the refund for my furnace & boiler?",
    });
    await sql`select accept_voice_event(${sql.json(event as never)})`;
    await sql`update contacts set name = 'Jane O''Neill', company = 'Roofs & Co' where phone = ${JANE}`;
    await sql`insert into call_notes (call_sid, body) values (${sid}, 'A technician comes on Thursday')`;
    return sid;
  })();
}

/** The console, signed in, at a page. */
async function signedIn(
  open: BrowserLab["open"],
  path: string,
  { refused = false, ...options }: Parameters<BrowserLab["open"]>[1] & { refused?: boolean } = {},
): Promise<Page> {
  await store();
  const { page, expect } = await open("phone", { locale: "en-CA", ...options });
  if (refused) expect(/status of 400/);
  await page.goto(`${lab().url}/console/`);
  await page.getByLabel("E-mail").fill(EMAIL);
  await page.locator("input[name=password]").fill(PASSWORD);
  await page.locator("button.primary").click();
  await page.getByRole("link", { name: "Search", exact: true }).click();
  await page.goto(`${lab().url}/console/#/${path}`);
  return page;
}

test("one box finds what was said, marks it as text, and leads to the call at its second", async (open) => {
  const sid = await store();
  const page = await signedIn(open, "search");
  await page.getByRole("searchbox").fill("refund -dentist");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  const result = page.locator(".results > li").filter({ hasText: "Voicemail" });
  await result.getByText("is the refund for my furnace & boiler?").waitFor();
  assertEquals(await result.locator("mark").allInnerTexts(), ["refund"]);
  assertEquals(await result.locator("b").count(), 0);
  // It plays from there, and a person without a mouse stands at the player.
  await page.route(
    /voicemail-audio/,
    (route) =>
      route.fulfill({ contentType: "audio/wav", body: Buffer.from(sampleMessage(40).bytes) }),
  );
  await result.getByRole("button", { name: /^Play Jane O'Neill from 0:\d\d$/ }).press("Enter");
  const audio = result.locator("audio:focus");
  const second = await audio.evaluate((element) => {
    const player = element as unknown as { currentTime: number; ontimeupdate: () => void };
    return new Promise<number>((resolve) => {
      player.ontimeupdate = () => resolve(Math.floor(player.currentTime));
    });
  });
  const href = await result.getByRole("link", { name: "Jane O'Neill" }).getAttribute("href");
  assertEquals(href, `#/calls/${sid}/${second}`);
  assertEquals(await accessibilityFaults(page), []);
  // The address has the search: it can be kept, sent and gone back to.
  await page.reload();
  await result.waitFor();
});

test("what is typed stays when the page is drawn anew, and a filter at fault says why", async (open) => {
  const page = await signedIn(open, `search/${encodeURIComponent("q=furnace&number=12")}`, {
    refused: true,
  });
  await page.getByRole("alert").getByText("number: must have 3 to 15 digits").waitFor();
  const typed = { q: "boil", tag: "half a w", from: "2026-11-21", name: "My furnaces" };
  const named = (name: string) => page.locator(`[name=${name}]`);
  for (const [name, value] of Object.entries(typed)) {
    // deno-lint-ignore no-await-in-loop -- As a person does.
    await named(name).fill(value);
  }
  await named("disposition").selectOption("voicemail");
  await page.getByLabel("a voicemail").check();
  await lab().hotline.db.sql`
    insert into people (handle, name, phone) values ('noor', 'Noor', '+14165550190')`;
  await page.evaluate('dispatchEvent(new Event("focus"))');
  await page.getByLabel("Answered by").locator("option", { hasText: "Noor" }).waitFor({
    state: "attached",
  });
  for (const [name, value] of Object.entries({ ...typed, disposition: "voicemail" })) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(await named(name).inputValue(), value);
  }
  assert(await page.getByLabel("a voicemail").isChecked());
});

test("a file of contacts is taken in, and one that cannot be read says why", async (open) => {
  const page = await signedIn(open, "contacts", { refused: true, viewport: PHONE });
  const take = async (text: string) => {
    const file = { name: "c.csv", mimeType: "application/vnd.ms-excel", buffer: Buffer.from(text) };
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByRole("button", { name: "Take in" }).click();
  };
  await take("name\nAda\n");
  await page.getByText("must have a column named phone").waitFor();
  await take("phone,name\n(403) 555-0188,Ada\nx,Bob\n");
  await page.getByText("1 added, 0 changed").waitFor();
  await page.getByText("Line 3: phone must be").waitFor();
  assertEquals(await page.evaluate(SCROLLS), false);
});

test("a search is saved, opened again, and removed with a way back", async (open) => {
  const page = await signedIn(open, `search/${encodeURIComponent("q=furnace&has=voicemail")}`);
  const saved = page.getByRole("region", { name: "Saved searches" });
  await saved.getByLabel("Name").fill("Furnaces");
  await saved.getByRole("button", { name: "Save" }).click();
  await saved.getByRole("link", { name: "Furnaces" }).waitFor();
  await page.goto(`${lab().url}/console/#/search`);
  await saved.getByRole("link", { name: "Furnaces" }).click();
  await page.locator(".results > li").first().waitFor();
  assertEquals(await page.getByRole("searchbox").inputValue(), "furnace");
  await saved.getByRole("button", { name: "Remove Furnaces" }).click();
  await page.getByRole("button", { name: "Undo" }).click();
  await saved.getByRole("link", { name: "Furnaces" }).waitFor();
});

for (
  const [name, width, colorScheme] of [["desktop, dark", 1280, "dark"], [
    "phone, light",
    390,
    "light",
  ]] as const
) {
  test(`a contact's page has the calls, their words and notes, and can be edited: ${name}`, async (open) => {
    const page = await signedIn(open, `contacts/${encodeURIComponent(JANE)}`, {
      viewport: { width, height: 860 },
      colorScheme,
    });
    await page.getByRole("heading", { name: /^Jane/ }).waitFor();
    const calls = page.getByRole("region", { name: /^Calls/ });
    await calls.getByText("<b>Where</b> is the refund").waitFor();
    await calls.getByText("A technician comes on Thursday").waitFor();
    await page.getByLabel("Company").fill(`Doors ${name}`);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    const [row] = await lab().hotline.db.sql`select company from contacts where phone = ${JANE}`;
    assertEquals(row!["company"], `Doors ${name}`);
    assertEquals([await page.evaluate(SCROLLS), await accessibilityFaults(page)], [false, []]);
  });
}
