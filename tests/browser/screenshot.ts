/**
 * Makes the pictures of docs: the web phone during a call that a person has taken out of the queue, and the console's
 * pages on the next day of that practice, wide and on a telephone. It starts a stack of its own:
 * `npx -y deno@2.9.6 run --node-modules-dir=auto -A tests/browser/screenshot.ts`.
 */
import type { Page } from "playwright-core";
import dental from "../../supabase/flows/dental.json" with { type: "json" };
import { type BrowserLab, chromiumPath, PASSWORD, startBrowserLab } from "../support/browser.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { ensureUser } from "../../scripts/local/auth_api.ts";
import { callFlowsAt } from "../support/call_flows.ts";

const LINE = "+15874059000";
const OWNER = "owner@example.com";

/** Page of the console, file name, what is there once it is whole. */
const PAGES = [
  ["today", "today", "New voicemails"],
  ["calls", "calls", "Maria Santos"],
  ["voicemails", "voicemails", "my crown"],
  ["search/q%3Dcrown", "search", "crown"],
  ["contacts", "contacts", "Maria Santos"],
  ["people", "people", "Chloe Tremblay"],
  ["flows/dental", "flow", "Sound."],
  ["campaigns", "campaigns", "Recall of spring"],
  ["knowledge", "knowledge", "Do you take new patients?"],
  ["reports", "reports", "Busiest hours"],
  ["alerts", "alerts", "Alerts"],
  ["members", "members", "Sam Levesque"],
  ["system", "system", "healthy"],
] as const;

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const picture = (page: Page, name: string) =>
  page.screenshot({ path: new URL(`../../docs/${name}.png`, import.meta.url).pathname });

if (chromiumPath === undefined) {
  console.error("There is no Chromium here: install it, or set CHROMIUM to its path.");
  Deno.exit(1);
}
const own = { log: console.log, error: console.error };
const lab = await startBrowserLab({ twilio: true });
try {
  await practice(lab);
  await webPhone(lab);
  for (const [width, height, suffix] of [[1200, 860, ""], [390, 780, "-phone"]] as const) {
    // deno-lint-ignore no-await-in-loop -- one browser
    await consolePages(lab, { width, height }, suffix);
  }
} finally {
  await lab.stop();
}
own.log("Wrote docs/console*.png and docs/web-phone.png");
Deno.exit();

/** The dental practice, open at all hours, its owner, and some callers. */
async function practice({ hotline }: BrowserLab): Promise<void> {
  const { sql } = hotline.db;
  const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
  const weekly = Object.fromEntries(days.map((day) => [day, [["00:00", "24:00"]]]));
  const { status, body } = await callFlowsAt(hotline.url)("/publish", {
    definition: { ...dental, calendars: { clinic: { weekly } }, tests: undefined },
    name: "dental",
    lines: [LINE],
    note: "Open all day for the pictures",
  });
  if (status !== 200) throw new Error(`Cannot publish the flow: ${JSON.stringify(body)}`);
  const names = ["Anna Pelletier", "Ben Okafor", "Chloe Tremblay"];
  for (const [i, phone] of dental.groups.desk.members.entries()) {
    const name = names[i]!;
    // deno-lint-ignore no-await-in-loop -- three
    await sql`insert into people (handle, name, phone, verified_at, available)
      values (${name.split(" ")[0]!.toLowerCase()}, ${name}, ${phone}, now(), ${i !== 2})`;
  }
  const owner = await ensureUser(sql, OWNER, PASSWORD);
  await sql`insert into members (user_id, email, name, role, joined_at)
    values (${owner}, ${OWNER}, 'Sam Levesque', 'owner', now())`;
  const messages = [
    [
      "+14035550142",
      "Maria Santos",
      "Hello, this is Maria. My crown came off at lunch. Please call me back.",
    ],
    ["+17805550177", "Devon Clarke", "I have to move my cleaning on Thursday to next week."],
    ["+15875550119", null, "Do you take new patients?"],
  ] as const;
  for (const [from, name, transcript] of messages) {
    // deno-lint-ignore no-await-in-loop -- in this order
    await hotline.ring({ keys: ["9"], voicemail: { seconds: 11, transcript } }, { from });
    // deno-lint-ignore no-await-in-loop
    if (name) await sql`update contacts set name = ${name} where phone = ${from}`;
  }
  for (const from of ["+14035550188", "+16045550131"]) {
    // deno-lint-ignore no-await-in-loop
    await hotline.ring({ keys: ["1"] }, { from });
  }
  await sql`insert into knowledge_entries (question, answer, language)
    values ('Do you take new patients?', 'Yes, the next free visits are in two weeks.', 'en-US')`;
  const campaigns = `${hotline.url}/functions/v1/campaigns`;
  const headers = { apikey: LOCAL_SECRET_KEY, "content-type": "application/json" };
  const created = await fetch(campaigns, {
    method: "POST",
    headers,
    body: JSON.stringify({
      name: "Recall of spring",
      mode: "preview",
      flow: "dental",
      caller_numbers: [LINE],
      calls_per_second: 1,
      max_concurrent: 1,
      machine: "hang_up",
      consent: "existing_business",
    }),
  });
  if (created.status !== 201) {
    throw new Error(`Cannot create the campaign: ${await created.text()}`);
  }
  const { id } = await created.json();
  const phones = Array.from({ length: 240 }, (_, nth) => `+1587555${2000 + nth}`);
  await fetch(`${campaigns}/${id}/contacts`, {
    method: "POST",
    headers: { ...headers, "content-type": "text/csv" },
    body: ["phone", ...phones].join("\n"),
  });
  await sql`select record_worker_run(worker) from unnest(array['dial-worker', 'notify-worker', 'voice-reconcile']) as worker`;
  await sql`insert into health_checks (healthy) values (true)`;
}

async function webPhone(lab: BrowserLab): Promise<void> {
  const { page, close } = await lab.open("phone", { viewport: { width: 1200, height: 860 } });
  await button(page, "Add the people of the lines").click();
  await page.getByRole("heading", { name: "Chloe Tremblay" }).waitFor();
  await page.getByLabel("Your number").fill("+16045550142");
  await button(page, "Call").click();
  await page.getByText("A key or words interrupt.").waitFor();
  await button(page, "1").click();
  await page.getByText("To book or change an appointment").first().waitFor();
  await button(page, "1").click();
  const telephone = page.locator('.telephone[data-state="rings"]');
  await telephone.getByRole("button", { name: "Answer" }).click();
  await page.locator(".heard").getByText("To accept it, press 1.").waitFor();
  await page.locator('.telephone[data-state="call"] [data-key="1"]').click();
  await page.getByText("Somebody takes the call.").waitFor();
  await page.evaluate('scrollTo(0, 0); document.querySelector("#webhooks").scrollTop = 0');
  await picture(page, "web-phone");
  await close();
}

async function consolePages(
  lab: BrowserLab,
  viewport: { width: number; height: number },
  suffix: string,
): Promise<void> {
  const { page, close } = await lab.open("console", { viewport });
  await page.getByLabel("E-mail").fill(OWNER);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign in").click();
  // Of the narrow ones two tell enough.
  for (
    const [path, name, sign] of suffix === ""
      ? PAGES
      : PAGES.filter(([, name]) => ["today", "flow"].includes(name))
  ) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    await page.goto(`${lab.url}/console/#/${path}`);
    // deno-lint-ignore no-await-in-loop
    await page.locator("#main").getByText(sign).first().waitFor();
    // deno-lint-ignore no-await-in-loop
    await page.waitForLoadState("networkidle");
    // deno-lint-ignore no-await-in-loop
    await picture(page, `console-${name}${suffix}`);
  }
  await close();
}
