import postgres, { type Sql } from "postgres";
import { parseSlice } from "../../supabase/functions/_shared/campaigns/contacts_file.ts";
import { connect } from "../support/cluster.ts";
import { open, running } from "../support/campaigns.ts";
import type { Row } from "./report.ts";
import type { World } from "./world.ts";

export interface CampaignsOptions {
  readonly contacts: number;
  readonly dials: number;
}

const SLICE = 10_000;
const SESSIONS = 4;
const BATCH = 100;
/** Calls a second that the account may make. */
const RATE = 1000;

interface Reserved {
  readonly dials: readonly { readonly token: string }[];
}

/** Lists, dials and figures of a campaign, at the database. */
export async function campaigns(
  world: World,
  { contacts, dials }: CampaignsOptions,
): Promise<Row[]> {
  const url = await world.createDatabase("bench_campaigns");
  const sql = connect(url);
  const sessions = Array.from({ length: SESSIONS }, () => postgres(url, { max: 1 }));
  try {
    const id = await running(sql, 0, { account: RATE, rate: RATE, concurrent: 100_000 });
    const imported = await importList(sql, id, contacts);
    await open(sql, id, 48);
    await sql`analyze`;
    const reserved = await reserve(sessions, id, dials);
    return [
      {
        measure:
          `a list of ${contacts} contacts, a sixth of them suppressed, read and stored in slices of ${SLICE}`,
        unit: "s",
        ours: imported,
        aim: { most: 30 * contacts / 300_000 },
      },
      ...reserved,
      ...await begin(sessions[0]!, sql),
      ...await live(sessions[0]!, id, contacts),
    ];
  } finally {
    await Promise.all([sql, ...sessions].map((each) => each.end()));
  }
}

const AREAS = ["212", "312", "415", "206", "503", "587", "604", "416", "514", "780"];
const numberOf = (nth: number) =>
  `+1${AREAS[nth % AREAS.length]}${2_000_000 + Math.floor(nth / AREAS.length)}`;

/** @returns the seconds that it takes. */
async function importList(sql: Sql, id: string, contacts: number): Promise<number> {
  const every = 6;
  const stopped = Array.from({ length: contacts / every }, (_, nth) => numberOf(nth * every));
  await sql`insert into suppressions (e164, source) select n, 'sms' from unnest(${stopped}::text[]) as n`;
  const slices = Array.from({ length: contacts / SLICE }, (_, slice) =>
    [
      "phone,name,consent_at,consent_source",
      ...Array.from({ length: SLICE }, (_, nth) =>
        `${numberOf(slice * SLICE + nth)},Contact ${nth},2026-01-05T15:00:00Z,web`),
    ].join("\n"));
  const began = performance.now();
  for (const text of slices) {
    const slice = parseSlice(text, new Date());
    if (typeof slice === "string") throw new Error(slice);
    const given = slice.contacts.map(({ place, ...contact }) => ({ ...contact, ...place }));
    // deno-lint-ignore no-await-in-loop -- As a file is sent.
    await sql`select import_campaign_contacts(${id}, ${sql.json(given as never)})`;
  }
  return (performance.now() - began) / 1000;
}

/** Sessions reserve at once, until so many dials are: fewer than the next ten seconds have room for. */
async function reserve(sessions: readonly Sql[], id: string, dials: number): Promise<Row[]> {
  const began = performance.now();
  await Promise.all(sessions.map(async (session) => {
    for (let got = 0; got < dials / SESSIONS;) {
      // deno-lint-ignore no-await-in-loop
      const [row] = await session<{ answer: Reserved }[]>`
        select reserve_campaign_dials(${id}, ${BATCH}, '10 seconds') as answer`;
      got += row!.answer.dials.length;
    }
  }));
  const perSecond = dials / ((performance.now() - began) / 1000);
  const sent = await sessions[0]!<{ at: number; contact: string }[]>`
    select extract(epoch from send_at)::float8 as at, contact_id as contact from dial_attempts order by send_at`;
  const times = sent.map(({ at }) => at);
  let [peak, first] = [0, 0];
  for (const [last, at] of times.entries()) {
    while (times[first]! <= at - 1) first++;
    peak = Math.max(peak, last - first + 1);
  }
  return [
    {
      measure: `dials reserved per second, ${SESSIONS} sessions at once, ${BATCH} at a time`,
      unit: "/s",
      ours: perSecond,
      aim: { least: 2000 },
    },
    {
      measure: "contacts reserved twice",
      unit: "",
      ours: sent.length - new Set(sent.map(({ contact }) => contact)).size,
      aim: { most: 0 },
    },
    {
      measure: "most dials in any second, over the rate",
      unit: "",
      ours: peak / RATE,
      aim: { most: 1 },
    },
    {
      measure: "dials over what the rate allows, from the first to the last",
      unit: "",
      ours: sent.length / ((times.at(-1)! - times[0]!) * RATE),
      aim: { least: 0.95 },
    },
  ];
}

const median = (times: readonly number[]) =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;

/** Ten dials are allowed to be sent, with what became of the ten before. */
async function begin(session: Sql, sql: Sql): Promise<Row[]> {
  const rows = await sql<{ token: string }[]>`
    select token from dial_attempts where state = 'intended' order by send_at desc limit 500`;
  const times: number[] = [];
  let settled: unknown[] = [];
  for (let at = 0; at < rows.length; at += 10) {
    const tokens = rows.slice(at, at + 10).map(({ token }) => token);
    const began = performance.now();
    // deno-lint-ignore no-await-in-loop
    await session`select begin_campaign_dials(${tokens}, ${session.json(settled as never)})`;
    times.push(performance.now() - began);
    settled = tokens.map((token) => ({
      token,
      state: "created",
      leg_sid: `CA${token.replaceAll("-", "")}`,
    }));
  }
  return [{
    measure: "ten dials begun, and what became of the ten before, p50",
    unit: "ms",
    ours: median(times),
  }];
}

async function live(session: Sql, id: string, contacts: number): Promise<Row[]> {
  const view = async () => {
    const times: number[] = [];
    for (let nth = 0; nth < 50; nth++) {
      const began = performance.now();
      // deno-lint-ignore no-await-in-loop
      await session`select * from campaign_live where campaign_id = ${id}`;
      times.push(performance.now() - began);
    }
    return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)]!;
  };
  const before = await view();
  await session`select mend_campaigns()`;
  return [
    {
      measure: `the live figures at ${contacts} contacts, before the changes are added up, p95`,
      unit: "ms",
      ours: before,
      aim: { most: 50 },
    },
    { measure: "the same, afterwards", unit: "ms", ours: await view(), aim: { most: 50 } },
  ];
}
