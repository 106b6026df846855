import { assertEquals } from "@std/assert/equals.js";
import { type Callee, type CallRecord, personAt } from "../../scripts/phone/mod.ts";
import { type Calling, startCalling } from "../support/calling.ts";
import { LINE } from "../support/practice.ts";

const phone = (nth: number) => `+1587555${2000 + nth}`;
const phones = (count: number) => Array.from({ length: count }, (_, nth) => phone(nth));
const CREATE = { method: "POST", path: /\/Calls$/ };

let practice: Calling;
let callee: (to: string) => Callee;
const rung = new Map<string, CallRecord>();
Deno.test.beforeAll(async () => {
  practice = await startCalling({
    simulator: {
      telephones: ({ to, callSid }) => {
        rung.set(callSid, practice.simulator.exchange.calls.get(callSid)!.record);
        return personAt(callee(to));
      },
    },
  });
});
Deno.test.afterAll(() => practice.stop());

/** One practice for all tests, each without the campaigns of those before; its telephones are answered so. */
function test(
  name: string,
  body: (calling: Calling) => Promise<void>,
  answers: (to: string) => Callee = () => ({ presses: "" }),
) {
  Deno.test(`campaign-dialler: ${name}`, async () => {
    callee = answers;
    const { db: { sql }, twilio, simulator } = practice;
    await sql`truncate campaigns, dial_attempts, dial_rates, suppressions, call_logs cascade`;
    const before = practice.created().length;
    const taken: (() => void)[] = [];
    try {
      await body({
        ...practice,
        created: () => practice.created().slice(before),
        twilio: {
          ...twilio,
          inject(injection) {
            const takeBack = twilio.inject(injection);
            taken.push(takeBack);
            return takeBack;
          },
        },
      });
    } finally {
      for (const takeBack of taken) takeBack();
      for (const call of simulator.exchange.calls.values()) call.hangUp("app");
      await simulator.settle();
    }
  });
}

test("each contact is called once, by one create whose addresses carry the dial's token, and hears who calls and the flow", async (calling) => {
  const id = await calling.campaign(phones(5));
  const report = await calling.dial();
  assertEquals([report.created, report.unknown, report.failed], [5, 0, 0]);
  await calling.simulator.settle();
  const created = calling.created();
  assertEquals(created.map(({ To }) => To).toSorted(), phones(5));
  const [first] = created;
  assertEquals(
    [first!.From, first!.MachineDetection, first!.AsyncAmd, first!.Timeout, first!.TimeLimit],
    [LINE, "Enable", "true", "25", "3600"],
  );
  const { sql } = calling.db;
  const attempts = await sql`select token, leg_sid from dial_attempts where to_e164 = ${first!
    .To!}`;
  for (
    const [name, event] of [
      ["Url", "answered"],
      ["FallbackUrl", "failed"],
      ["StatusCallback", "status"],
      ["AsyncAmdStatusCallback", "amd"],
    ] as const
  ) {
    const url = new URL(first![name]!);
    assertEquals(
      [url.pathname, url.searchParams.get("event"), url.searchParams.get("token")],
      ["/functions/v1/voice-outbound", event, attempts[0]!.token],
    );
  }
  assertEquals(await calling.live(id), { contacts: 5, dialled: 5, answered: 5 });
  const [call] = await sql`
    select direction, line, party, status, answered_at is not null as answered, flow_version is not null as pinned
    from call_logs where call_sid = ${attempts[0]!.leg_sid}`;
  assertEquals({ ...call }, {
    direction: "outbound",
    line: LINE,
    party: first!.To,
    status: "completed",
    answered: true,
    pinned: true,
  });
  await calling.dial();
  assertEquals(calling.created().length, 5);
});

test(
  "telephones that are busy, silent or gone are none of the calls, and are tried again by the rules",
  async (calling) => {
    const id = await calling.campaign(phones(3));
    await calling.dial();
    await calling.simulator.settle();
    assertEquals(await calling.live(id), { contacts: 3, waiting: 3, dialled: 3 });
    const { sql } = calling.db;
    const rows = await sql`select ends from campaign_contacts order by e164`;
    assertEquals(rows.map(({ ends }) => ends), [["busy"], ["no_answer"], ["failed"]]);
    assertEquals((await sql`select from call_logs`).length, 0);
    assertEquals((await sql`select from campaign_dials`).length, 3);
  },
  (to) => ({ outcome: (["busy", "no-answer", "failed"] as const)[Number(to.at(-1))]! }),
);

test("of two flows each person hears the one that the results name", async (calling) => {
  const { sql } = calling.db;
  const id = await calling.campaign(phones(12), {
    other: {
      business: "Prairie Teeth",
      prompts: { notice: { "en-US": "Come tomorrow." }, bye: { "en-US": "Bye." } },
    },
  });
  await calling.dial();
  await calling.simulator.settle();
  const results = await sql`select flow, call_sid from campaign_results where campaign_id = ${id}`;
  assertEquals(new Set(results.map(({ flow }) => flow)), new Set(["notices", "others"]));
  for (const { flow, call_sid } of results) {
    assertEquals(
      rung.get(call_sid)!.spoken.slice(-2),
      flow === "others"
        ? ["Come tomorrow.", "Bye."]
        : ["Your appointment is tomorrow.", "Goodbye."],
    );
  }
  await sql`select mend_campaigns()`;
  const [{ now }] = await sql`select campaign_now(${id}) as now` as unknown as [
    { now: { by_flow: Record<string, unknown>[] } },
  ];
  for (const { flow, ...figures } of now.by_flow) {
    const count = results.filter((each) => each.flow === flow).length;
    assertEquals([figures.contacts, figures.answered, figures.dialled], [count, count, count]);
  }
});

test("a create whose answer is lost is left in doubt, and never repeated", async (calling) => {
  const id = await calling.campaign(phones(1));
  calling.twilio.inject({ ...CREATE, answer: "hang" });
  assertEquals((await calling.dial()).unknown, 1);
  await calling.dial();
  assertEquals([calling.created().length, await calling.live(id)], [1, {
    contacts: 1,
    dialled: 1,
    unknown: 1,
  }]);
});

test("a webhook tells of a call whose create was never answered", async (calling) => {
  const id = await calling.campaign(phones(1));
  calling.twilio.inject({ ...CREATE, effect: true, answer: "hang" });
  await calling.dial();
  await calling.simulator.settle();
  assertEquals(await calling.live(id), { contacts: 1, dialled: 1, answered: 1 });
});

test("429 made no call: the account rests, and the same dial is made later", async (calling) => {
  const id = await calling.campaign(phones(1));
  calling.twilio.inject({ ...CREATE, answer: { status: 429, code: 20429 } });
  const report = await calling.dial();
  assertEquals([report.not_made, await calling.live(id)], [1, { contacts: 1, waiting: 1 }]);
  const { sql } = calling.db;
  const [rate] =
    await sql`select not_before > now() + interval '3 seconds' as rests from dial_rates`;
  assertEquals(rate!.rests, true);
  await sql`update dial_rates set not_before = '-infinity'`;
  assertEquals((await calling.dial()).created, 1);
});

for (
  const [what, answer, reason] of [
    ["wrong credentials", { status: 401, code: 20003 }, "credentials"],
    ["an account that is not active", { status: 400, code: 10001 }, "account"],
    ["an account that is full", { status: 429, code: 10004 }, "concurrency"],
  ] as const
) {
  test(`${what} pause the campaign, say why, and use up no try`, async (calling) => {
    const id = await calling.campaign(phones(3));
    calling.twilio.inject({ ...CREATE, times: 9, answer });
    await calling.dial();
    const [row] = await calling.db.sql`select state, paused_because from campaigns`;
    assertEquals([row!.state, row!.paused_because], ["paused", reason]);
    assertEquals(await calling.live(id), { contacts: 3, waiting: 3 });
  });
}

test("a number that Twilio refuses has failed, and is not dialled again", async (calling) => {
  const id = await calling.campaign(phones(1));
  calling.twilio.inject({ ...CREATE, answer: { status: 400, code: 21211 } });
  assertEquals((await calling.dial()).refused, 1);
  assertEquals(await calling.live(id), { contacts: 1, dialled: 1, failed: 1 });
});

test("nothing is dialled that ALLOWED_DESTINATIONS forbids, nor a line of ours", async (calling) => {
  const { sql } = calling.db;
  const id = await calling.campaign(["+18765550100", "+15875559009"]);
  await sql`insert into lines (line, flow_id) select '+15875559009', min(id) from call_flows`;
  assertEquals((await calling.dial()).refused, 2);
  assertEquals([calling.created(), await calling.live(id)], [[], { contacts: 2, failed: 2 }]);
});

test("a campaign that mostly fails is paused by the breaker", async (calling) => {
  await calling.campaign(phones(30), { concurrent: 20 });
  calling.twilio.inject({ ...CREATE, times: 30, answer: { status: 400, code: 21216 } });
  await calling.dial();
  const [row] = await calling.db.sql`select state, paused_because from campaigns`;
  assertEquals([row!.state, row!.paused_because], ["paused", "failures"]);
  assertEquals(calling.created().length, 20);
});

test("an opt-out between the reservation and the dial is kept", async (calling) => {
  const id = await calling.campaign(phones(2));
  const { sql } = calling.db;
  await calling.dial((deps) => ({
    ...deps,
    campaigns: {
      ...deps.campaigns,
      async begin(tokens, settled) {
        await sql`insert into suppressions (e164, source) values (${
          phone(0)
        }, 'sms') on conflict do nothing`;
        return await deps.campaigns.begin(tokens, settled);
      },
    },
  }));
  assertEquals(calling.created().map(({ To }) => To), [phone(1)]);
  assertEquals((await calling.live(id)).suppressed, 1);
});

test("a pause is kept from the next dial on", async (calling) => {
  const id = await calling.campaign(phones(3));
  const { sql } = calling.db;
  await calling.dial((deps) => ({
    ...deps,
    campaigns: {
      ...deps.campaigns,
      async begin(tokens, settled) {
        await sql`select command_campaign(${id}, 'pause')`;
        return await deps.campaigns.begin(tokens, settled);
      },
    },
  }));
  assertEquals([calling.created(), await calling.live(id)], [[], { contacts: 3, waiting: 3 }]);
});

test("a dial that is begun and not sent in time is given back, also where the database's answer was lost", async (calling) => {
  const id = await calling.campaign(phones(1));
  let begins = 0;
  await calling.dial((deps) => ({
    ...deps,
    campaigns: {
      ...deps.campaigns,
      async begin(tokens, settled) {
        const begun = await deps.campaigns.begin(tokens, settled);
        if (begins++ === 0) throw new Error("the answer is lost");
        return begun;
      },
    },
  }));
  assertEquals([calling.created(), await calling.live(id)], [[], { contacts: 1, waiting: 1 }]);
});

test("diallers at once call nobody twice", async (calling) => {
  const id = await calling.campaign(phones(12));
  await Promise.all([1, 2, 3, 4].map(() => calling.dial()));
  await calling.simulator.settle();
  assertEquals(calling.created().map(({ To }) => To).toSorted(), phones(12));
  assertEquals(await calling.live(id), { contacts: 12, dialled: 12, answered: 12 });
});

test("without TWILIO_ACCOUNT_SID nothing is dialled, and the report says so", async (calling) => {
  const id = await calling.campaign(phones(1));
  const report = await calling.dial((deps) => ({ ...deps, twilio: undefined }));
  assertEquals([report.missing, await calling.live(id)], [["TWILIO_ACCOUNT_SID"], {
    contacts: 1,
    waiting: 1,
  }]);
});

test("dials of a preview are made only when a person asks for one", async (calling) => {
  const id = await calling.campaign(phones(3), { mode: "preview" });
  assertEquals((await calling.dial()).created, 0);
  await calling.db.sql`select command_campaign(${id}, 'dial')`;
  assertEquals((await calling.dial()).created, 1);
  assertEquals((await calling.dial()).created, 0);
});
