import { delay } from "@std/async/delay.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import type { Locator, Page } from "playwright-core";
import { people } from "../../scripts/people/main.ts";
import dental from "../../supabase/flows/dental.json" with { type: "json" };
import { accessibilityFaults, browserTests } from "../support/browser.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { runCommand } from "../support/command.ts";

// A dental practice of three people, press 1, a queue and a call back: each on a telephone of the web phone, and by
// `task phone`.

const { lab, test, caller } = browserTests({ twilio: true });

const LINE = "+15874059000";
const [ANNA, BEN, CHLOE] = dental.groups.desk.members as [string, string, string];

/** The practice, open at all hours, answers the line. */
async function open(members = dental.groups.desk.members): Promise<void> {
  const { url, db: { sql } } = lab().hotline;
  const always = [["00:00", "24:00"]];
  const weekly = {
    mon: always,
    tue: always,
    wed: always,
    thu: always,
    fri: always,
    sat: always,
    sun: always,
  };
  const definition = {
    ...dental,
    tests: undefined,
    calendars: { clinic: { weekly } },
    groups: { ...dental.groups, desk: { ...dental.groups.desk, members } },
  };
  const published = await callFlowsAt(url)("/publish", {
    definition,
    name: "dental",
    lines: [LINE],
  });
  assertEquals(published.status, 200, JSON.stringify(published.body));
  // Nobody rests from an earlier test's ringing.
  await sql`update dial_attempts set ended_at = now() - interval '1 hour' where ended_at is not null`;
}

const button = (within: Page | Locator, name: string) =>
  within.getByRole("button", { name, exact: true });

async function addTelephone(page: Page, number: string): Promise<void> {
  await page.getByLabel("Number of another telephone").fill(number);
  await button(page, "Add this number").click();
}

/** The telephone that rings. */
async function ringing(page: Page): Promise<Locator> {
  const telephone = page.locator('.telephone[data-state="rings"]');
  await telephone.waitFor();
  return page.getByLabel((await telephone.getAttribute("aria-label"))!, { exact: true });
}

async function fitsTheScreen(page: Page): Promise<void> {
  assertEquals(
    await page.evaluate(`[...document.querySelectorAll("main *")]
      .filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest(".hidden, .webhooks"))
      .map((each) => each.outerHTML.slice(0, 80))
      .concat(document.documentElement.scrollWidth > innerWidth ? document.querySelector(".display").innerText : [])`),
    [],
  );
}

/** Calls the line and chooses appointments, which leads to the queue. */
async function callTheDesk(page: Page, from: string): Promise<void> {
  await page.getByLabel("Your number").fill(from);
  await button(page, "Call").click();
  await page.getByText("A key or words interrupt.").waitFor();
  await button(page, "1").click();
  await page.getByText("To book or change an appointment").first().waitFor();
  await page.getByText("A key or words interrupt.").waitFor();
  await button(page, "1").click();
  await page.getByText("You hold, as number 1 in the queue.").waitFor();
}

async function accept(telephone: Locator): Promise<void> {
  await button(telephone, "Answer").click();
  await telephone.getByText("press 1").waitFor();
  await telephone.locator('[data-key="1"]').click();
}

for (const [colorScheme, width] of [["light", 1280], ["dark", 360]] as const) {
  test(`three people's telephones ring in turn until one accepts the caller who holds: ${colorScheme}, ${width} px`, async (openPage) => {
    await open();
    const { page } = await openPage("phone", { colorScheme, viewport: { width, height: 860 } });
    for (const number of [ANNA, BEN, CHLOE]) {
      // deno-lint-ignore no-await-in-loop -- one form
      await addTelephone(page, number);
    }
    const { e164 } = caller();
    await callTheDesk(page, e164);
    const first = await ringing(page);
    assertEquals(await accessibilityFaults(page), []);
    // The longest words that a caller's display has: of the tone, the address.
    await page.getByText("♪ It rings.").first().waitFor();
    await fitsTheScreen(page);
    await button(first, "Decline").click();
    await first.getByText("Call ended").waitFor();
    // Answers, and does not press 1: as a mailbox does.
    const second = await ringing(page);
    await button(second, "Answer").click();
    await second.getByText("Call for Prairie Dental").waitFor();
    assertEquals(await accessibilityFaults(page), []);
    await button(second, "Hang up").click();
    await second.getByText("Call ended").waitFor();
    const third = await ringing(page);
    await accept(third);
    await page.getByText("Somebody takes the call.").waitFor();
    await third.getByText("Talking").waitFor();
    assertEquals(await accessibilityFaults(page), []);
    await fitsTheScreen(page);
    await button(third, "Hang up").click();
    await page.getByText("You talked to somebody.").waitFor();

    const { sql } = lab().hotline.db;
    const [call] = await sql`
      select c.call_sid, c.disposition, q.result from call_logs as c join queue_entries as q using (call_sid)
      where c.from_e164 = ${e164}`;
    assertEquals([call?.["disposition"], call?.["result"]], ["connected", "answered"]);
    const attempts = await sql`
      select result from dial_attempts where call_sid = ${call!["call_sid"]} order by id`;
    assertEquals(attempts.map(({ result }) => result), ["busy", "declined", "accepted"]);
  });
}

test("a caller who would rather not hold is called back: the person first, then the caller", async (openPage) => {
  await open();
  const { page } = await openPage("phone");
  await addTelephone(page, ANNA);
  await addTelephone(page, BEN);
  await addTelephone(page, CHLOE);
  const { e164 } = caller();
  await callTheDesk(page, e164);
  await page.getByText("To be called back instead, press 1.").first().waitFor();
  await page.locator("#keypad [data-key='1']").click();
  await page.getByText("Call ended").first().waitFor();

  const person = await ringing(page);
  await accept(person);
  await button(page, "Answer").click();
  await page.getByText("You are talking.").waitFor();
  await person.getByText("Talking").waitFor();
  await button(person, "Hang up").click();
  await page.getByText("You were called.").waitFor();
  const { sql } = lab().hotline.db;
  const promised = async () => {
    const [promise] = await sql`select state, tries from callbacks where to_e164 = ${e164}`;
    return [promise?.["state"], promise?.["tries"]];
  };
  // The callback of the leg's end comes a moment later.
  while ((await promised())[0] === "open") await delay(50);
  assertEquals(await promised(), ["done", 1]);
});

test("by task phone: one terminal calls the practice, others hold the people's telephones", async () => {
  await open([BEN]);
  const { e164 } = caller();
  const env = {
    NO_COLOR: "1",
    TRADELINE_UI_PORT: new URL(lab().url).port,
    TRADELINE_API_PORT: new URL(lab().hotline.url).port,
  };
  const cli = "scripts/phone/cli.ts";
  const ben = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", cli, "--as", BEN, "--keys", "1", "--talk", "1", "--calls", "1"],
    cwd: ROOT,
    env,
    stdout: "piped",
  }).spawn();
  const output = ben.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  const read = async (until: string) => {
    while (!heard.includes(until)) {
      // deno-lint-ignore no-await-in-loop -- piece by piece
      const { value, done } = await output.read();
      if (done) throw new Error(`It ended without "${until}": ${heard}`);
      heard += value;
    }
  };
  await read("is ready");
  const called = await runCommand(cli, ["--join", "--from", e164, "--keys", "1,1"], { env });
  assertEquals(called.code, 0, called.err + called.out);
  for (const words of ["in the queue, as number 1", "you talk", "you talked to somebody"]) {
    assertStringIncludes(called.out, words);
  }
  await read("you were called");
  for (const words of ["Call for Prairie Dental", "you press  1", "Connecting you."]) {
    assertStringIncludes(heard, words);
  }
  await output.cancel();
  assertEquals((await ben.status).code, 0);
});

test("task people verify: key 1 on the person's telephone proves whose it is, another answer does not", async (openPage) => {
  await open();
  const { sql } = lab().hotline.db;
  const number = "+14035550177";
  await sql`insert into people (handle, name, phone) values ('dora', 'Dora Lee', ${number})`;
  const { page } = await openPage("phone");
  await addTelephone(page, number);
  const verify = async () => {
    const lines: string[] = [];
    const print = (line: string) => void lines.push(line);
    const port = new URL(lab().hotline.url).port;
    const env = (name: string) => name === "TRADELINE_API_PORT" ? port : undefined;
    const code = await people(["verify", "dora"], { env, print, complain: print });
    return { code, said: lines.at(-1) };
  };
  const declined = verify();
  await button(await ringing(page), "Decline").click();
  assertEquals(await declined, { code: 1, said: "Dora Lee is not verified: the line was busy." });
  const accepted = verify();
  await accept(await ringing(page));
  assertEquals(await accepted, { code: 0, said: "Dora Lee is verified." });
  const [dora] = await sql`select verified_at is not null as verified from people`;
  assertEquals(dora?.["verified"], true);
});
