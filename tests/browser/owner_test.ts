import { assertEquals } from "@std/assert/equals.js";
import type { Locator, Page } from "playwright-core";
import { ensureUser } from "../../scripts/local/auth_api.ts";
import { browserTests } from "../support/browser.ts";

// The first hour of a new owner, with the console and the web phone and no other page.

const { lab, test, caller } = browserTests({ twilio: true });

const OWN = "+14035550188";
const PASSWORD = "correct horse";

const button = (within: Page | Locator, name: string) =>
  within.getByRole("button", { name, exact: true });
/** A zone where it is noon: at night nobody is called back. */
function zoneOfNoon(): string {
  const ahead = 12 - new Date().getUTCHours();
  return ahead === 0 ? "Etc/UTC" : `Etc/GMT${ahead > 0 ? "-" : "+"}${Math.abs(ahead)}`;
}
const link = (page: Page, name: string) => page.getByRole("link", { name, exact: true });

test("a new owner changes the greeting, rings the line, hears it, finds the call, plays its voicemail, assigns it and calls back", async (open) => {
  const email = "new.owner@example.com";
  const { sql } = lab().hotline.db;
  const id = await ensureUser(sql, email, PASSWORD);
  await sql`insert into members (user_id, email, name, role, joined_at)
    values (${id}, ${email}, 'Nora', 'owner', now())`;

  const { page } = await open("console", { timezoneId: zoneOfNoon() });
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign in").click();
  // An empty Today says what to do first.
  await link(page, "Add yourself under People").waitFor();
  await link(page, "Ring the line in the web phone").waitFor();
  await link(page, "Change the greeting under Flows").click();
  await page.getByLabel("Name").fill("front desk");
  await button(page, "Begin").click();
  await page.getByRole("textbox", { name: "hello" }).fill(
    "Welcome to Prairie Dental. To leave a message, press 9.",
  );
  await page.getByLabel("Lines that answer by it").fill("+1 587 405 9000");
  await page.getByLabel("Note: what changed").fill("Our own greeting");
  await page.getByText("Sound.").waitFor();
  await button(page, "Publish").click();
  await page.getByText("Version 1 answers from the next call on.").waitFor();

  const { page: phone } = await open("phone");
  const { e164, shown } = caller();
  await phone.getByLabel("Your number").fill(e164);
  await button(phone, "Call").click();
  await phone.getByText("Welcome to Prairie Dental.").first().waitFor();
  await phone.getByText("A key or words interrupt.").waitFor();
  await button(phone, "9").click();
  await phone.getByLabel("What you say").fill("My tooth hurts. Please call me.");
  await button(phone, "Leave a sample recording").click();
  await phone.getByText("You left a voicemail.").waitFor();

  // The own telephone is rung for calls back: it is added, linked, and verified by key 1.
  await link(page, "People").click();
  await page.getByLabel("Name").fill("Nora");
  await page.getByLabel("Handle in flows").fill("nora");
  await page.getByLabel("Telephone").fill(OWN);
  await button(page, "Add").click();
  await page.getByLabel("Nora signs in as").selectOption({ label: "Nora" });
  await phone.getByLabel("Number of another telephone").fill(OWN);
  await button(phone, "Add this number").click();
  const ringing = async () => {
    const telephone = phone.locator('.telephone[data-state="rings"]');
    await telephone.waitFor();
    return phone.getByLabel((await telephone.getAttribute("aria-label"))!, { exact: true });
  };
  await button(page, "Verify by a call: Nora").click();
  const verified = await ringing();
  await button(verified, "Answer").click();
  await verified.getByText("press 1").waitFor();
  await verified.locator('[data-key="1"]').click();
  await page.getByText("verified", { exact: true }).waitFor();

  await link(page, "Today").click();
  await page.getByRole("heading", { name: "First steps" }).waitFor({ state: "detached" });
  const message = page.getByRole("listitem").filter({ hasText: "My tooth hurts." });
  await message.getByRole("link").first().click();
  await page.getByRole("heading", { level: 1, name: shown }).waitFor();
  await button(page, "Play: Voicemail").click();
  const audio = page.locator("audio");
  await audio.waitFor();
  const playing = () =>
    audio.evaluate((element: { readonly currentTime: number; readonly duration: number }) => [
      element.currentTime > 0,
      element.duration,
    ]);
  while (!(await playing())[0]) await page.waitForTimeout(20);
  const [recording] = await sql`
    select r.duration_sec from recordings as r join call_logs using (call_sid) where from_e164 = ${e164}`;
  assertEquals(Math.round(Number((await playing())[1])), recording!["duration_sec"]);
  // The transcript plays from a word.
  await page.locator(".word").getByText("call").click();
  await page.getByLabel("Assign to").selectOption({ label: "Nora" });
  await page.getByText("Assigned.").waitFor();

  await button(page, "Call back").click();
  await page.getByText("Your telephone rings.").waitFor();
  const own = await ringing();
  await button(own, "Answer").click();
  await own.getByText("press 1").waitFor();
  await own.locator('[data-key="1"]').click();
  await button(phone, "Answer").click();
  await phone.getByText("You are talking.").waitFor();
  await own.getByText("Talking").waitFor();
  await button(own, "Hang up").click();
  await phone.getByText("You were called.").waitFor();
  const [step] = await sql`
    select s.state, p.handle from voicemail_steps as s join people as p on p.id = s.assigned_to
    join call_logs as c on c.call_sid = s.call_sid where c.from_e164 = ${e164}`;
  assertEquals([step!["state"], step!["handle"]], ["taken", "nora"]);
  await page.getByText("A call back was promised").waitFor();
});
