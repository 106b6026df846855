// Alerts on words: their messages, each once, and where these may go. The words are matched in db/search_test.ts.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { Webhook } from "standardwebhooks";
import { hookDeps } from "../../supabase/functions/_shared/search/hook.ts";
import { startMailSystem } from "../support/mail.ts";

const system = await startMailSystem();
const { work, later, resend, stack: { db: { sql } } } = system;
Deno.test.afterAll(() => system.stop());

const ORG = "11111111-1111-4111-8111-111111111111";
const SECRET = `whsec_${btoa("0123456789abcdef01234567")}`;

/** An alert of an operator's, or of a user. */
async function alert(
  word: string,
  channel: string,
  target: string,
  { user = null, org = null, secret = null }: Record<string, string | null> = {},
): Promise<void> {
  await sql`
    insert into search_alerts (org_id, user_id, name, query, channel, target, secret)
    values (${org}, ${user}, 'Watch', ${word}, ${channel}, ${target}, ${secret})`;
}

/** A website message, whose words are searched at once. */
async function say(words: string): Promise<void> {
  await sql`insert into contact_messages (name, email, message) values ('Jane', 'jane@example.com', ${words})`;
}

/** The internet, as far as messages reach it. */
function internet(answers: Response[] = [], addresses = ["8.8.8.8"]) {
  const got: { url: string; headers: Record<string, string>; body: string }[] = [];
  const hooks = {
    ...hookDeps,
    resolve: () => Promise.resolve(addresses),
    fetch: ((url: string, init: RequestInit) => {
      got.push({ url, headers: init.headers as Record<string, string>, body: init.body as string });
      return Promise.resolve(answers.shift() ?? new Response());
    }) as typeof fetch,
  };
  return { got, hooks };
}

const states = async (kind = "search_alert") =>
  (await sql`select status, last_error from jobs where kind = ${kind} order by id`)
    .map(({ status, last_error }) => [status, last_error]);

Deno.test.beforeEach(async () => {
  await sql`delete from jobs`;
  await sql`delete from search_alerts`;
  await sql`update job_kinds set held_until = null`;
});

Deno.test("a webhook is told once, signed, and again under the same id where it failed", async () => {
  await alert("refund", "webhook", "https://hooks.example.com/in", { secret: SECRET });
  await say("I want a refund");
  const { got, hooks } = internet([new Response(null, { status: 500 })]);
  await work({ hooks });
  await later("10 minutes");
  await work({ hooks });
  await later("1 hour");
  await work({ hooks });
  assertEquals(got.length, 2);
  for (const { headers, body } of got) new Webhook(SECRET).verify(body, headers);
  assertEquals(got[0]!.headers["webhook-id"], got[1]!.headers["webhook-id"]);
  const { type, data } = JSON.parse(got[1]!.body);
  assertEquals([type, data.alert.query], ["search_alert.matched", "refund"]);
  assert(data.document.text.startsWith("I want a refund"));
  assert(!got[1]!.body.includes("whsec"));
  assertEquals(await states(), [["done", null]]);
});

Deno.test("Slack is told in plain text, so that a caller's words neither call a channel nor make a link", async () => {
  await alert("angry", "slack", "https://hooks.slack.com/services/T0/B0/x");
  await say("I am angry <!channel> <https://evil.example|here>");
  const { got, hooks } = internet();
  await work({ hooks });
  const { text, blocks } = JSON.parse(got[0]!.body);
  assertEquals(text, "Watch: found in a website message");
  assertEquals(blocks[0].text.type, "plain_text");
  assert(blocks[0].text.text.includes("> I am angry <!channel>"));
});

for (
  const [what, channel, target, addresses, error] of [
    ["a private address", "webhook", "https://hooks.example.com/", ["10.0.0.7"], /private network/],
    ["a literal address", "webhook", "https://127.0.0.1/", ["8.8.8.8"], /must name a host/],
    ["another port", "webhook", "https://hooks.example.com:25/", ["8.8.8.8"], /no port/],
    ["another host as Slack's", "slack", "https://slack.example.com/x", ["8.8.8.8"], /slack\.com/],
  ] as const
) {
  Deno.test(`${what} is told nothing, and the job says why`, async () => {
    await alert("secret", channel, target);
    await say("a secret plan");
    const { got, hooks } = internet([], [...addresses]);
    await work({ hooks });
    assertEquals(got, []);
    const [[status, reason] = []] = await states();
    assertEquals(status, "dead");
    assert(error.test(String(reason)), String(reason));
  });
}

Deno.test("a mail goes to a member, and to no stranger whatever the alert says", async () => {
  const user = crypto.randomUUID();
  await sql`
    insert into members (org_id, user_id, email, role, joined_at)
    values (null, ${user}, 'anna@example.com', 'owner', now())`;
  await alert("boiler", "mail", "Anna@example.com", { user });
  await alert("boiler", "mail", "stranger@example.org", { user });
  await say("The boiler drips");
  await work();
  const mails = (await resend.mails()).filter(({ subject }) => subject.startsWith("Watch"));
  assertEquals(mails.map(({ to, subject }) => [to, subject]), [
    [["Anna@example.com"], "Watch: found in a website message"],
  ]);
  assert(mails[0]!.text.includes("> The boiler drips"));
  const told = await states("mail_search_alert");
  assertEquals(told.map(([status]) => status).toSorted(), ["dead", "done"]);
});

Deno.test("the alert of somebody who is no member any more tells nothing", async () => {
  const gone = crypto.randomUUID();
  await alert("leak", "webhook", "https://hooks.example.com/", { user: gone });
  await say("A leak in the roof");
  const { got, hooks } = internet();
  await work({ hooks });
  assertEquals(got, []);
});

Deno.test("what is erased before it is told is not told", async () => {
  await alert("attic", "webhook", "https://hooks.example.com/");
  await say("Squirrels in the attic");
  await sql`delete from contact_messages where message = 'Squirrels in the attic'`;
  const { got, hooks } = internet();
  await work({ hooks });
  assertEquals(got, []);
});

Deno.test("another organisation's alert is not told of it", async () => {
  await alert("garage", "webhook", "https://hooks.example.com/", { org: ORG });
  await say("The garage door");
  const { got, hooks } = internet();
  await work({ hooks });
  assertEquals(got, []);
});
