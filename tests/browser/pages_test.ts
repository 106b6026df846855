import { assertEquals } from "@std/assert/equals.js";
import type { Page } from "playwright-core";
import { Buffer } from "node:buffer";
import { wav } from "../support/audio.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { accessibilityFaults, browserTests, PASSWORD } from "../support/browser.ts";

// The console as a signed-in person has it, in a real Chromium.

const { lab, test, caller, signIn } = browserTests();

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const goTo = async (page: Page, path: string) => {
  await page.evaluate((to) => {
    // deno-lint-ignore no-explicit-any -- the page's
    (globalThis as any).location.hash = `#/${to}`;
  }, path);
};

/** A call that left a message. */
async function voicemail() {
  const { e164, shown } = caller();
  const { record } = await lab().hotline.ring(
    { keys: ["9"], voicemail: { seconds: 5, transcript: "My sink leaks." } },
    { from: e164 },
  );
  return { sid: record.callSid, shown };
}

test("a page of the console runs its own scripts only, and reaches the project alone", async (open) => {
  const { page, expect } = await open("console");
  expect(/Content Security Policy|This document requires/);
  const tried = await page.evaluate(`(async () => {
    const stopped = (act) => { try { act(); return "done"; } catch { return "stopped"; } };
    const script = document.createElement("script");
    return [
      stopped(() => { script.src = "https://example.com/x.js"; }),
      stopped(() => { document.body.innerHTML = "<b>x</b>"; }),
      await fetch("https://example.com/").then(() => "done", () => "stopped"),
    ];
  })()`);
  assertEquals(tried, ["stopped", "stopped", "stopped"]);
  const config = await (await page.request.get(`${lab().url}/console/config.json`)).text();
  assertEquals(/sb_secret|service_role/.test(config), false);
});

test("a wrong password is said to be wrong, and the address is kept", async (open) => {
  const { page, expect } = await open("console");
  expect(/status of 400/);
  await page.getByLabel("E-mail").fill("nobody@example.com");
  await page.getByLabel("Password").fill("wrong");
  await button(page, "Sign in").click();
  await page.getByText("The e-mail address or the password is wrong.").waitFor();
  assertEquals(await page.getByLabel("E-mail").inputValue(), "nobody@example.com");
  // The button follows the password; other ways in come after it.
  assertEquals(await page.locator("main :is(input, button)").allTextContents(), [
    "",
    "",
    "Sign in",
    "Mail me a link instead",
    "Forgot the password",
    "Français",
  ]);
  expect(/ERR_INTERNET_DISCONNECTED/);
  await page.context().setOffline(true);
  for (const way of ["Sign in", "Mail me a link instead"]) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    await button(page, way).click();
    // deno-lint-ignore no-await-in-loop
    await page.getByText("The project does not answer. Check the connection, then try again.")
      .nth(way === "Sign in" ? 0 : 1).waitFor();
  }
});

test("a new voicemail appears on Today by itself, is done, and comes back by undo", async (open) => {
  const { page } = await open("console");
  await signIn(page);
  const { shown } = await voicemail();
  const row = page.getByRole("listitem").filter({ hasText: "My sink leaks." }).filter({
    hasText: shown,
  });
  await row.waitFor();
  await row.getByRole("button", { name: `Done: ${shown}` }).click();
  await row.waitFor({ state: "detached" });
  await button(page, "Undo").click();
  await row.waitFor();
});

test("a list that has the pointer or the focus keeps its order, and says how many are new", async (open) => {
  await voicemail();
  const { page } = await open("console");
  await signIn(page);
  const card = page.locator("section:has(#voicemails)");
  const first = card.getByRole("link").first();
  for (const hold of [() => first.hover(), () => first.focus()]) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    await hold();
    // deno-lint-ignore no-await-in-loop
    const before = await first.innerText();
    // deno-lint-ignore no-await-in-loop
    const { shown } = await voicemail();
    // deno-lint-ignore no-await-in-loop
    await button(page, "1 new").waitFor();
    // deno-lint-ignore no-await-in-loop
    assertEquals(await first.innerText(), before);
    // deno-lint-ignore no-await-in-loop
    await button(page, "1 new").press("Enter");
    // deno-lint-ignore no-await-in-loop
    await card.getByRole("link", { name: shown }).waitFor();
    // deno-lint-ignore no-await-in-loop
    await page.mouse.move(0, 0);
  }
  // Left alone, it goes on by itself.
  await page.getByRole("link", { name: "Today", exact: true }).focus();
  const { shown } = await voicemail();
  await card.getByRole("link", { name: shown }).waitFor();
});

test("a call is noted and tagged; a viewer finds no way to", async (open) => {
  const { sid, shown } = await voicemail();
  const { page } = await open("console");
  const { email } = await signIn(page, "agent");
  await goTo(page, `calls/${sid}`);
  await page.getByRole("heading", { level: 1, name: shown }).waitFor();
  await page.getByRole("textbox", { name: "Note", exact: true }).fill("Sent Bob.");
  await button(page, "Add the note").click();
  const note = page.getByRole("listitem").filter({ hasText: "Sent Bob." });
  await note.getByText(email).waitFor();
  await page.getByLabel("Tag", { exact: true }).fill("Leak");
  await button(page, "Add").click();
  await button(page, "Remove the tag leak").waitFor();
  assertEquals(await button(page, "Erase").count(), 0);

  const { page: other } = await open("console");
  await signIn(other, "viewer");
  await goTo(other, `calls/${sid}`);
  await other.getByText("Sent Bob.").waitFor();
  assertEquals(await other.getByRole("button", { name: /note|Add/ }).count(), 0);
});

test("the greeting is changed, published with a note, tried, compared, and rolled back", async (open) => {
  const { page, expect } = await open("console");
  expect(/status of 400/);
  const { email } = await signIn(page);
  const name = `front ${crypto.randomUUID().slice(0, 8)}`;
  await goTo(page, "flows");
  await page.getByLabel("Name").fill(name);
  await button(page, "Begin").click();
  await page.getByText("Sound.").waitFor();
  await button(page, "Publish").click();
  await page.getByText("Version 1 answers from the next call on.").waitFor();
  await page.getByRole("textbox", { name: "hello" }).fill(
    "Welcome to Prairie Dental. Press 1, or 9 for a message.",
  );
  await page.getByLabel("Note: what changed").fill("A warmer greeting");
  await page.getByText("Sound.").waitFor();
  await button(page, "Publish").click();
  await page.getByText("A warmer greeting").waitFor();
  await page.getByText(email).first().waitFor();
  await page.getByRole("textbox", { name: "Keys", exact: true }).fill("9");
  await button(page, "Try").click();
  await page.getByLabel("What happens").getByText("“Welcome to Prairie Dental.").waitFor();
  await page.getByLabel("What happens").getByText("leaves a message").waitFor();
  await button(page, "Compare with version 1").click();
  await page.locator(".diff .added").getByText("Welcome to Prairie Dental").waitFor();
  await button(page, "Close").first().click();
  await button(page, "Go back to it: version 1").click();
  await page.getByRole("listitem").filter({ hasText: /^1 answers/ }).waitFor();
  // A fault is named by its path, and not published.
  await page.locator("summary").getByText("JSON").click();
  await page.getByLabel("The flow as JSON").fill('{"schema": 1}');
  await page.getByText("These are at fault:").waitFor();
});

test("a flow is edited by forms from its map, kept as a draft, discarded and brought back", async (open) => {
  const { page, expect } = await open("console");
  expect(/status of 400/);
  await signIn(page);
  const name = `desk ${crypto.randomUUID().slice(0, 8)}`;
  const path = `flows/${encodeURIComponent(name)}`;
  await goTo(page, path);
  await page.getByRole("button", { name: /^desk\s*Ring people/ }).press("Enter");
  const choose = (step: string, field: string, value: string) =>
    page.getByRole("group", { name: `Step ${step}` })
      .getByRole("combobox", { name: field, exact: true }).selectOption(value);
  await choose("desk", "When nobody answers", "+");
  // A new step, chosen at once; the map has it.
  await choose("step", "What it does", "say");
  await choose("step", "Words", "leave");
  await choose("step", "Then", "note");
  await page.getByLabel("Name of the step").fill("sorry");
  await page.getByRole("button", { name: /^sorry\s*Say something/ }).waitFor();
  await page.getByText("Sound.").waitFor();
  // What is at fault is marked in the map and said in the form.
  await page.getByRole("button", { name: /^hello\s*Menu/ }).click();
  await choose("hello", "Key of choice 2", "1");
  await page.getByRole("button", { name: /^⚠ hello/ }).waitFor();
  await choose("hello", "Key of choice 2", "9");
  await page.getByText("Sound.").waitFor();
  await page.locator("summary").getByText("Opening hours").click();
  await page.getByRole("textbox", { name: "New hours" }).fill("office");
  await page.getByRole("form", { name: "New hours" }).getByRole("button").click();
  await page.getByLabel("Saturday").fill("9:00-12:00");
  await page.getByText("Draft kept").waitFor();

  await page.reload();
  await page.getByRole("button", { name: /^sorry\s*Say something/ }).waitFor();
  const { sql } = lab().hotline.db;
  const [kept] = await sql`select draft from call_flows where name = ${name}`;
  assertEquals(kept!["draft"].nodes.desk.unanswered, "sorry");
  assertEquals(kept!["draft"].calendars.office.weekly.sat, [["09:00", "12:00"]]);
  assertEquals([
    ...await sql`select from call_flow_versions as v join call_flows as f on f.id = v.flow_id where f.name = ${name}`,
  ], []);
  await button(page, "Discard the draft").click();
  await page.getByRole("button", { name: /^sorry/ }).waitFor({ state: "detached" });
  await button(page, "Undo").click();
  await page.getByRole("button", { name: /^sorry/ }).waitFor();
  await goTo(page, "flows");
  await page.getByRole("listitem").filter({ hasText: name }).getByText("draft").waitFor();
});

test("a prompt is recorded in the page, kept as the telephone plays it, and played back", async (open) => {
  const { page } = await open("console");
  await signIn(page);
  const name = `voice ${crypto.randomUUID().slice(0, 8)}`;
  await goTo(page, `flows/${encodeURIComponent(name)}`);
  await button(page, "● Record: leave en-US").or(
    page.getByRole("button", { name: "Record: leave en-US" }),
  ).click();
  await button(page, "■ Stop recording").waitFor();
  await page.waitForTimeout(300);
  await button(page, "■ Stop recording").click();
  await page.getByText("Stored. Callers hear it once it is published.").waitFor();
  await page.getByRole("button", { name: "Play: leave en-US" }).click();
  await page.locator("audio").waitFor();
  await page.getByText("Sound.").waitFor();
  const [stored] = await lab().hotline.db.sql`select mime, seconds::float8, stored_by from prompts`;
  assertEquals(stored!["mime"], "audio/wav");
  // A file takes its place.
  await page.getByLabel("Take a file: hello en-US").setInputFiles({
    name: "hello.wav",
    mimeType: "audio/wav",
    buffer: Buffer.from(wav({ seconds: 2, rate: 44_100, channels: 2 })),
  });
  await page.getByRole("button", { name: "Play: hello en-US" }).waitFor();
  const [converted] = await lab().hotline.db.sql`select bytes from prompts order by id desc`;
  assertEquals(converted!["bytes"], 44 + 2 * 2 * 8000);
});

test("a number is blocked from its call, hears a short end, and is unblocked by undo", async (open) => {
  const { sid, shown } = await voicemail();
  const { page } = await open("console");
  await signIn(page, "agent");
  await goTo(page, `calls/${sid}`);
  await button(page, "Block this number").click();
  await button(page, "Unblock").waitFor();
  const from = shown.replaceAll(" ", "");
  const { row } = await lab().hotline.ring({ keys: ["1"] }, { from });
  assertEquals(row["disposition"], "rate_limited");
  await goTo(page, `calls/${row["call_sid"]}`);
  await page.getByText("The number is blocked: the call was refused").waitFor();
  await goTo(page, "contacts");
  await page.getByRole("listitem").filter({ hasText: shown }).getByText("Blocked").waitFor();
  await button(page, "Undo").click();
  await goTo(page, `calls/${sid}`);
  await button(page, "Block this number").waitFor();
});

test("a talk with an assistant is in the call's timeline while it goes on; its open question becomes an answer", async (open) => {
  const { sid } = await voicemail();
  const { sql } = lab().hotline.db;
  const session = `VX${crypto.randomUUID().replaceAll("-", "")}`;
  await sql`insert into agent_sessions (session_id, call_sid, node, language, cost_usd)
    values (${session}, ${sid}, 'desk', 'en-US', 0.0125)`;
  let seq = 0;
  const says = (kind: string, heard: string, tool: string | null = null) =>
    sql`insert into agent_turns (session_id, seq, call_sid, at, kind, node, language, planned_text, heard_text, tool)
      values (${session}, ${seq++}, ${sid}, now(), ${kind}, 'desk', 'en-US', ${heard}, ${heard}, ${tool})`;
  await says("caller", "Do you take dogs?");
  const question = `Do you take dogs ${crypto.randomUUID().slice(0, 8)}?`;
  await sql`insert into agent_questions (language, question, call_sid) values ('en-US', ${question}, ${sid})`;
  const { page } = await open("console");
  await signIn(page);
  await goTo(page, `calls/${sid}`);
  await page.getByText("Caller: “Do you take dogs?”").waitFor();
  await says("tool", "", "take_message");
  await says("agent", "I will ask and let you know.");
  await page.getByText("Assistant: “I will ask and let you know.”").waitFor();
  await page.getByText("Takes a message").waitFor();
  await page.getByText("$0.0125").waitFor();
  await sql`update agent_sessions set ended_at = now(), outcome = 'failed', reason = 'no_model'
    where session_id = ${session}`;
  await sql`insert into agent_turns (session_id, seq, call_sid, at, kind, node, language, model, reason)
    values (${session}, ${seq++}, ${sid}, now(), 'failure', 'desk', 'en-US', 'openai:gpt-6-luna', 'refused')`;
  await sql`insert into call_legs (call_sid, leg_sid, to_e164, status, dialled_at, answered_at, bridged, told)
    values (${sid}, ${`CA${
    session.slice(2)
  }`}, '+15875550111', 'completed', now(), now(), false, 'declined')`;
  await page.reload();
  for (
    const words of [
      "it failed: every model refused: see what failed",
      "openai:gpt-6-luna: refused the request: the key, the bill or its name",
      "declined",
    ]
  ) await page.getByText(words).first().waitFor();
  assertEquals(await accessibilityFaults(page), []);
  await button(page, `Answer it: ${question}`).click();
  await page.getByLabel("Answer, as it is spoken").fill("Yes, small ones.");
  await button(page, "Keep").click();
  await page.getByText("Assistants answer it from now on.").waitFor();
  await goTo(page, "knowledge");
  const entry = page.getByRole("listitem").filter({ hasText: question });
  await entry.getByText("Yes, small ones.").waitFor();
  await button(page, "Undo").click();
  await entry.getByRole("button", { name: "Answer it" }).waitFor();
  await entry.getByRole("button", { name: "Dismiss" }).click();
  await entry.waitFor({ state: "detached" });
});

test("a calendar is closed by hand for some hours, and goes back by undo", async (open) => {
  const { page } = await open("console");
  await signIn(page);
  const name = `Hours ${crypto.randomUUID().slice(0, 8)}`;
  const plumber = new URL("../../supabase/flows/plumber.json", import.meta.url);
  const published = await callFlowsAt(lab().hotline.url)("/publish", {
    definition: JSON.parse(await Deno.readTextFile(plumber)),
    name,
    lines: ["+15874059007"],
  });
  assertEquals(published.status, 200);
  await goTo(page, `flows/${encodeURIComponent(name)}`);
  await button(page, "Close now: office").click();
  await page.getByText("Closed for 4 hours.").waitFor();
  await page.getByText(/^closed until/).waitFor();
  const overrides = () =>
    lab().hotline.db.sql`
      select o.state, round(extract(epoch from o.until - now()) / 3600)::integer as hours
      from calendar_overrides as o join call_flows as f on f.id = o.flow_id where f.name = ${name}`;
  assertEquals([...await overrides()], [{ state: "closed", hours: 4 }]);
  await button(page, "Undo").last().click();
  await page.getByText(/^closed until/).waitFor({ state: "detached" });
  assertEquals([...await overrides()], []);
});

test("a campaign is created, gets a list with its faults shown, is started, paused and stopped", async (open) => {
  const { page } = await open("console");
  await signIn(page);
  const line = "+15874059001";
  const published = await callFlowsAt(lab().hotline.url)("/publish", {
    definition: smallFlow(),
    name: "reminder",
    lines: [line],
  });
  assertEquals(published.status, 200);
  const name = `Recall ${crypto.randomUUID().slice(0, 8)}`;
  await goTo(page, "campaigns");
  const form = page.getByRole("form", { name: "New campaign" });
  await form.getByLabel("Name", { exact: true }).fill(name);
  await form.getByRole("combobox", { name: "Flow", exact: true }).selectOption("reminder");
  await form.getByLabel("Numbers that people see").fill("+1 587 405 9001");
  await button(page, "Create").click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByText("No contacts yet: take in a list.").waitFor();
  const csv =
    'name,phone\r\n"Ann, of Main Street",+15875550131\r\nBen,+15875550132\r\nNobody,12\r\nToll free,+18775550134\r\n';
  const file = { name: "list.csv", mimeType: "text/csv", buffer: Buffer.from(csv) };
  await page.getByLabel("File").setInputFiles(file);
  await page.getByText("1 lines have no whole number: 4.").waitFor();
  await button(page, "Take in 4 lines").click();
  await page.getByText("2 added, 0 known already, 0 never called, 2 lines rejected.").waitFor();
  await page.getByRole("row", { name: /^5 / }).waitFor();
  await button(page, "Take in 4 lines").click();
  await page.getByText("0 added, 2 known already").waitFor();
  await button(page, "Start").click();
  await button(page, "Pause").click();
  await button(page, "Resume").waitFor();
  assertEquals(await accessibilityFaults(page), []);
  await button(page, "Undo").last().click();
  await button(page, "Pause").waitFor();
  const download = page.waitForEvent("download");
  await button(page, "Results as CSV").click();
  assertEquals((await download).suggestedFilename(), `${name}.csv`);
  await button(page, "Stop for good").click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop for good" }).click();
  await page.getByText("It is stopped.").waitFor();
  const [row] = await lab().hotline.db.sql`select state from campaigns where name = ${name}`;
  assertEquals(["stopping", "done"].includes(row!["state"]), true);
});

test("a member is invited, given another role, and removed; the log says so", async (open) => {
  const { page, expect } = await open("console");
  expect(/status of 409/);
  await signIn(page);
  const email = `${crypto.randomUUID()}@example.com`;
  await goTo(page, "members");
  await page.getByLabel("E-mail").fill(email);
  await button(page, "Invite").click();
  const row = page.getByRole("listitem").filter({ hasText: email });
  await row.getByText("invited").waitFor();
  await row.getByRole("combobox").selectOption("agent");
  await page.getByText("The role is changed.").waitFor();
  await row.getByRole("button").click();
  await row.waitFor({ state: "detached" });
  await page.getByRole("cell", { name: "role: viewer → agent" }).first().waitFor();
  await page.getByRole("button", { name: "Français" }).click();
  await page.getByRole("cell", { name: "membre : modifié" }).first().waitFor();
  // A refusal of the database.
  const { sql } = lab().hotline.db;
  await sql`insert into members (email, role) select 'many' || i || '@example.com', 'viewer' from generate_series(1, 50) as i`;
  try {
    await page.getByLabel("Courriel").fill(email);
    await button(page, "Inviter").click();
    await page.getByText("Il y a 50 invitations ouvertes : retirez-en une d’abord.").waitFor();
  } finally {
    await sql`delete from members where email like 'many%'`;
  }
});

test("people set whether they are rung by one click, in every page", async (open) => {
  const { page } = await open("console");
  const { member } = await signIn(page, "agent");
  await lab().hotline.db.sql`insert into people (handle, name, phone, verified_at, member_id)
    values ('anna', 'Anna', '+15875550101', now(), ${member})`;
  await goTo(page, "people");
  const own = page.locator(".own").getByRole("switch");
  await own.getByText("Available", { exact: true }).waitFor();
  await own.click();
  await own.getByText("Not available").waitFor();
  await button(page, "Undo").click();
  await own.getByText("Available", { exact: true }).waitFor();
});

test("who signs out in one tab is out in the other, and signs in again where they were", async (open) => {
  const { page } = await open("console");
  await signIn(page);
  const second = await page.context().newPage();
  await second.goto(page.url());
  await second.getByRole("heading", { level: 1, name: "Today" }).waitFor();
  await goTo(page, "account");
  await button(page, "Sign out").click();
  await second.getByText("Your session has ended.").waitFor();
});

test("a token that has run out is renewed by itself, in every tab at once; without a session one signs in again, and is where one was", async (open) => {
  const { page, expect } = await open("console");
  expect(/status of 40[013]/);
  const { email, id } = await signIn(page);
  await goTo(page, "people");
  await page.getByRole("heading", { level: 1, name: "People" }).waitFor();
  const second = await page.context().newPage();
  await second.goto(page.url());
  await second.getByRole("heading", { level: 1, name: "People" }).waitFor();
  /** The stored session, as if its hour were over. */
  const runOut = (tab: Page) =>
    tab.evaluate(`(() => {
      const key = Object.keys(localStorage).find((each) => each.endsWith("-auth-token"));
      const session = JSON.parse(localStorage.getItem(key));
      localStorage.setItem(key, JSON.stringify({ ...session, expires_at: 1, access_token: "run.out.now" }));
    })()`);
  const tokens = () =>
    page.evaluate(
      `JSON.parse(localStorage.getItem(Object.keys(localStorage).find((each) => each.endsWith("-auth-token")))).access_token`,
    );
  await runOut(page);
  await lab().hotline.db
    .sql`insert into people (handle, name, phone) values ('zoe', 'Zoe', '+15875550177')`;
  for (const tab of [page, second]) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    await tab.bringToFront();
    // deno-lint-ignore no-await-in-loop
    await tab.getByText("Zoe", { exact: true }).waitFor();
  }
  assertEquals(await tokens() === "run.out.now", false);

  await lab().hotline.db.sql`delete from auth.sessions where user_id = ${id}`;
  await runOut(page);
  for (const tab of [page, second]) {
    // deno-lint-ignore no-await-in-loop
    await tab.bringToFront();
    // deno-lint-ignore no-await-in-loop
    await tab.getByText("Your session has ended.").waitFor();
  }
  await page.bringToFront();
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign in").click();
  await page.getByRole("heading", { level: 1, name: "People" }).waitFor();
});

test("what is done by keyboard leaves the focus where one was", async (open) => {
  const { sql } = lab().hotline.db;
  await voicemail();
  await voicemail();
  const { page } = await open("console");
  await signIn(page);
  const focused = (label: string) =>
    page.waitForFunction(`document.activeElement.ariaLabel?.includes(${JSON.stringify(label)})`);
  const done = page.getByRole("button", { name: /^Done: / });
  await done.nth(1).waitFor();
  const second = await done.nth(1).getAttribute("aria-label");
  await done.first().press("Enter");
  await page.getByText("The voicemail is done.").waitFor();
  await focused(second!);
  // Undone from there.
  await page.keyboard.press("Control+z");
  await page.getByText("The voicemail is done.").waitFor({ state: "detached" });
  await done.nth(1).waitFor();

  await sql`insert into people (handle, name, phone) values ('quinn', 'Quinn', '+15875550166')`;
  await goTo(page, "people");
  await button(page, "Quiet for 1 h: Quinn").press("Enter");
  await page.getByRole("switch", { name: "Not available: Quinn" }).waitFor();
  await focused("Quinn");
  await page.getByRole("button", { name: "Français" }).press("Enter");
  await page.getByRole("heading", { level: 1, name: "Personnes" }).waitFor();
  assertEquals(await page.evaluate("document.activeElement.textContent"), "English");
});

test("an undone change of who is rung gives the quiet hour back", async (open) => {
  const { sql } = lab().hotline.db;
  const until = new Date(Date.now() + 3_600_000);
  await sql`insert into people (handle, name, phone, dnd_until) values ('rosa', 'Rosa', '+15875550167', ${until})`;
  const { page } = await open("console");
  await signIn(page);
  const ring = page.getByRole("switch", { name: "Rosa" });
  await ring.click();
  await ring.getByText("Available", { exact: true }).waitFor();
  await button(page, "Undo").click();
  await ring.getByText("Not available").waitFor();
  const [rosa] = await sql`select available, dnd_until from people where handle = 'rosa'`;
  assertEquals({ ...rosa }, { available: true, dnd_until: until });
});

test("callbacks beyond the first are shown on Today, and what was shown stays meanwhile", async (open) => {
  const { sql } = lab().hotline.db;
  await sql`
    insert into callbacks (call_sid, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at)
    select 'CA' || lpad(to_hex(i), 32, 'c'), '+1604777' || lpad(i::text, 4, '0'), '+15874059000', 'desk', 1, 'desk', '{}', 20, '{}', now()
    from generate_series(1, 30) as i`;
  try {
    const { page } = await open("console");
    await signIn(page);
    const card = page.locator("section:has(#callbacks)");
    await card.getByRole("heading", { name: "Callbacks due 30" }).waitFor();
    await page.evaluate(`
      globalThis.fewest = 8;
      setInterval(() => fewest = Math.min(fewest, document.querySelectorAll("section:has(#callbacks) li").length));
    `);
    await card.getByRole("button", { name: "Show more" }).click();
    await card.getByRole("listitem").nth(29).waitFor();
    assertEquals(await page.evaluate("fewest"), 8);
  } finally {
    await sql`delete from callbacks where to_e164 like '+1604777%'`;
  }
});

test("a callback that failed is done with one click, comes back by undo, and is off the list", async (open) => {
  const { sql } = lab().hotline.db;
  await sql`
    insert into callbacks (call_sid, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at,
      state, ended_at, why)
    values (${`CA${
    "d".repeat(32)
  }`}, '+16047778888', '+15874059000', 'desk', 1, 'desk', '{}', 20, '{}', now(),
      'failed', now(), 'no_answer')`;
  const { page } = await open("console");
  await signIn(page, "agent");
  const row = page.locator("section:has(#callbacks)").getByRole("listitem").filter({
    hasText: "+1 604 777 8888",
  });
  await button(page, "Done: +1 604 777 8888").click();
  await row.waitFor({ state: "detached" });
  await button(page, "Undo").click();
  await row.waitFor();
  await button(page, "Done: +1 604 777 8888").click();
  await row.waitFor({ state: "detached" });
  const [kept] = await sql`select dismissed from callbacks where to_e164 = '+16047778888'`;
  assertEquals({ ...kept }, { dismissed: true });
});

test("an open alert is shown first, however many are over", async (open) => {
  const { sql } = lab().hotline.db;
  await sql`
    insert into alert_episodes (alert, severity, threshold, opened_at, opened_value)
    values ('system_unhealthy', 'critical', 1, now() - interval '9 days', 2), ('response_time', 'warning', 1, now(), 2)`;
  await sql`
    insert into alert_episodes (alert, severity, threshold, opened_at, opened_value, closed_at)
    select 'voicemail_backlog', 'warning', 1, now() - i * interval '1 hour', 2, now() from generate_series(1, 120) as i`;
  try {
    const { page } = await open("console");
    await signIn(page);
    await page.getByRole("link", { name: "The health check fails" }).click();
    await page.getByRole("heading", { name: "Now 2" }).waitFor();
    await page.getByRole("listitem").first().getByText("The health check fails").waitFor();
    await page.getByRole("button", { name: "Français" }).click();
    await page.getByRole("listitem").first().getByText("Le contrôle de santé échoue").waitFor();
  } finally {
    await sql`delete from alert_episodes`;
  }
});

test("a mailed link signs in, and leaves no token in the address or the history", async (open) => {
  const { hotline, url } = lab();
  const { page } = await open("console");
  const { id } = await signIn(page);
  await goTo(page, "account");
  await button(page, "Sign out").click();
  await page.getByLabel("Password").waitFor();
  await hotline.db.sql`
    insert into auth.one_time_tokens (token_hash, user_id, token_type)
    values (encode(sha256('one time'), 'hex'), ${id}, 'magiclink')`;
  await page.goto(
    `${hotline.url}/auth/v1/verify?token=one%20time&type=magiclink&redirect_to=${
      encodeURIComponent(`${url}/console/`)
    }`,
  );
  await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
  const addresses: string[] = [page.url()];
  await page.goBack();
  addresses.push(page.url());
  assertEquals(addresses.filter((address) => address.includes("token")), []);
});

test("an address with a percent sign that nobody encoded is a search for it", async (open) => {
  const { page } = await open("console");
  await signIn(page);
  await page.goto("about:blank");
  await page.goto(`${lab().url}/console/#/search/q=50%`);
  await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
  assertEquals(await page.getByRole("searchbox").inputValue(), "50%");
});

test("without a connection the page says so, keeps what it shows, and goes on", async (open) => {
  const { page, expect } = await open("console");
  expect(/ERR_INTERNET_DISCONNECTED/);
  await signIn(page);
  await page.getByText("Nobody is waiting.").waitFor();
  await page.context().setOffline(true);
  await page.getByText("No connection: what is shown may be old.").waitFor();
  await page.getByText("Nobody is waiting.").waitFor();
  await page.context().setOffline(false);
  await page.getByText("No connection: what is shown may be old.").waitFor({ state: "detached" });
  const { shown } = await voicemail();
  await page.getByText(shown).first().waitFor();
});

test("Today, Calls and Voicemails call people by their contact's name; a call's heading adds the number", async (open) => {
  const { sid, shown } = await voicemail();
  const number = shown.replaceAll(" ", "");
  await lab().hotline.db.sql`update contacts set name = 'Ann O''Neill' where phone = ${number}`;
  const { page } = await open("console");
  await signIn(page);
  for (const path of ["today", "calls", "voicemails"]) {
    // deno-lint-ignore no-await-in-loop -- one page after the other
    await goTo(page, path);
    // deno-lint-ignore no-await-in-loop
    await page.getByRole("link", { name: "Ann O'Neill" }).waitFor();
    // deno-lint-ignore no-await-in-loop
    assertEquals(await page.getByText(shown).count(), 0);
  }
  await goTo(page, `calls/${sid}`);
  await page.getByRole("heading", { level: 1, name: `Ann O'Neill ${shown}` }).waitFor();
});

test("a flow's page tells how far its callers came, node by node", async (open) => {
  const name = `funnel ${crypto.randomUUID().slice(0, 8)}`;
  const line = "+15874059177";
  const { url, simulator } = lab().hotline;
  const published = await callFlowsAt(url)("/publish", {
    definition: smallFlow(),
    name,
    lines: [line],
  });
  assertEquals(published.status, 200, JSON.stringify(published.body));
  const twilio = simulator();
  await twilio.call({ from: caller().e164, to: line, script: {} });
  await twilio.settle();
  const { page } = await open("console");
  await signIn(page);
  await goTo(page, `flows/${encodeURIComponent(name)}`);
  const card = page.locator("section:has(#funnel)");
  await card.getByText("How far callers of version 1 came").waitFor();
  await card.getByRole("listitem").filter({ hasText: /^hello1/ }).waitFor();
});

test("Reports tell calls by line and flow, and what assistants cost", async (open) => {
  const { sid } = await voicemail();
  const { sql } = lab().hotline.db;
  const session = `VX${crypto.randomUUID().replaceAll("-", "")}`;
  await sql`insert into agent_sessions (session_id, call_sid, node, language, cost_usd, line)
    values (${session}, ${sid}, 'desk', 'en-US', 0.25, '+15874059000')`;
  await sql`insert into agent_turns (session_id, seq, call_sid, at, kind, node, language, planned_text, model,
      first_token_ms, total_ms, cost_usd)
    values (${session}, 0, ${sid}, now(), 'agent', 'desk', 'en-US', 'Hello.', 'openai:gpt-report', 700, 900, 0.25)`;
  const { page } = await open("console");
  await signIn(page);
  await goTo(page, "reports");
  const [line] = await sql`select line, total_calls::int as calls from calls_by_line limit 1`;
  const shown = line!["line"].replace(/^\+1(...)(...)/, "+1 $1 $2 ");
  await page.getByRole("row", { name: `${shown} ${line!["calls"]} ` }).waitFor();
  await page.getByRole("row", { name: /^as the settings say / }).waitFor();
  await page.getByRole("row", { name: /^openai:gpt-report .*\$0\.25 0\.7 s/ }).waitFor();
  const download = page.waitForEvent("download");
  await button(page, "CSV: Lines").click();
  assertEquals((await download).suggestedFilename(), "lines.csv");
  assertEquals(await accessibilityFaults(page), []);
});

test("what a caller says stays text", async (open) => {
  const { e164, shown } = caller();
  const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b>'"`;
  await lab().hotline.ring(
    { keys: ["9"], voicemail: { seconds: 9, transcript: hostile } },
    { from: e164 },
  );
  const { page } = await open("console");
  await signIn(page);
  await goTo(page, "voicemails");
  const message = page.getByRole("listitem").filter({ hasText: shown });
  assertEquals(await message.locator("blockquote").innerText(), hostile);
  assertEquals(await message.locator("img, script, b").count(), 0);
});

test("owners of the main account see what the installation gave up, and have it tried again", async (open) => {
  const { sql } = lab().hotline.db;
  const key = crypto.randomUUID();
  await sql`
    insert into jobs (kind, key, status, attempts, ended_at, last_error)
    values ('alert_slack', ${key}, 'dead', 4, now(), 'no such channel')`;
  await sql`select record_analytics_event('tenant_unknown', 'error', '{"reason": "no such account"}')`;
  const { page } = await open("console");
  await signIn(page);
  await page.getByRole("link", { name: "System", exact: true }).click();
  await page.getByText("reason: no such account").waitFor();
  const job = page.getByRole("listitem").filter({ hasText: "no such channel" });
  await job.getByRole("button", { name: /^Try again: alert slack/ }).click();
  await job.waitFor({ state: "detached" });
  const [row] = await sql`select status, attempts from jobs where key = ${key}`;
  assertEquals({ ...row }, { status: "waiting", attempts: 0 });

  const { page: other } = await open("console");
  await signIn(other, "admin");
  assertEquals(await other.getByRole("link", { name: "System", exact: true }).count(), 0);
});

test("500 open calls and 200 voicemails are counted, not listed", async (open) => {
  const { sql } = lab().hotline.db;
  await sql`
    insert into call_logs (call_sid, from_e164, to_e164, mode, status, started_at)
    select 'CA' || lpad(i::text, 32, '0'), '+14165550100', '+15874059000', 'menu', 'in-progress', now() from generate_series(1, 500) as i`;
  await sql`
    insert into recordings (call_sid, recording_sid, leg_sid, source, url, recorded_at, confirmed)
    select call_sid, 'RE' || right(call_sid, 32), call_sid, 'voicemail', 'https://api.twilio.com/x', now(), true
    from call_logs where call_sid like 'CA000000%' limit 200`;
  try {
    const { page } = await open("console");
    await signIn(page);
    await page.getByRole("heading", { name: /Calls now 5\d\d/ }).waitFor();
    await page.getByRole("heading", { name: /New voicemails 2\d\d/ }).waitFor();
    assertEquals(await page.locator("section:has(#calls) .list > li").count(), 8);
  } finally {
    await sql`delete from recordings where call_sid like 'CA000000%'`;
    await sql`delete from call_logs where call_sid like 'CA000000%'`;
  }
});

for (
  const [what, options] of [
    ["light", { colorScheme: "light" as const }],
    ["dark, on a telephone", {
      colorScheme: "dark" as const,
      viewport: { width: 390, height: 800 },
    }],
  ] as const
) {
  test(`axe finds nothing in any page, ${what}`, async (open) => {
    const { sid } = await voicemail();
    await lab().hotline.db.sql`
      insert into people (handle, name, phone) values ('long', ${
      "Wolfeschlegelsteinhausen-".repeat(4)
    }, '+15875550188')
      on conflict do nothing`;
    const { page } = await open("console", options);
    assertEquals(await accessibilityFaults(page), []);
    await signIn(page);
    for (
      const path of [
        "today",
        "calls",
        `calls/${sid}`,
        "voicemails",
        "people",
        "flows",
        "flows/new%20one",
        "knowledge",
        "campaigns",
        "reports",
        "alerts",
        "members",
        "system",
        "contacts",
        "search",
        "account",
      ]
    ) {
      // deno-lint-ignore no-await-in-loop
      await goTo(page, path);
      // deno-lint-ignore no-await-in-loop
      await page.locator("#main h1").waitFor();
      // deno-lint-ignore no-await-in-loop
      await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
      // deno-lint-ignore no-await-in-loop
      assertEquals(await accessibilityFaults(page), [], path);
      // deno-lint-ignore no-await-in-loop
      const wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
      assertEquals(wide, false, `${path} is wider than the screen`);
      // deno-lint-ignore no-await-in-loop
      const first = await page.evaluate(
        "document.querySelector('#main h1, #main section').tagName",
      );
      assertEquals(first, "H1", `${path} does not begin with its heading`);
    }
  });
}
