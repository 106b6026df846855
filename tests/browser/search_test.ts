// The console's pages of search and of contacts, as a person uses them.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import type { Page } from "playwright-core";
import { ensureUser } from "../../scripts/local/auth_api.ts";
import { accessibilityFaults, type BrowserLab, browserTests } from "../support/browser.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const { lab, test } = browserTests();

const EMAIL = "search@example.com";
const PASSWORD = "tradeline";
const JANE = "+14165550123";

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
  options: Parameters<BrowserLab["open"]>[1] = {},
): Promise<Page> {
  await store();
  const { page } = await open("phone", { locale: "en-CA", ...options });
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
  await result.getByRole("button", { name: /^Play Jane O'Neill from 0:\d\d$/ }).waitFor();
  const href = await result.getByRole("link", { name: "Jane O'Neill" }).getAttribute("href");
  assert(new RegExp(`^#/calls/${sid}/\\d+$`).test(href!), href!);
  assertEquals(await accessibilityFaults(page), []);
  // The address has the search: it can be kept, sent and gone back to.
  await page.reload();
  await result.waitFor();
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
    const scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assertEquals([await page.evaluate(scrolls), await accessibilityFaults(page)], [false, []]);
  });
}
