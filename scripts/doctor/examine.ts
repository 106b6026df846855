import type { Sql } from "postgres";
import { connectTo, type Database } from "../database.ts";
import { SCHEMA_VERSION } from "../../supabase/functions/_shared/db/schema_version.ts";
import { drift, outline, readSchema } from "../schema/catalog.ts";
import type { TwilioAccess } from "../../supabase/functions/_shared/twilio/client.ts";
import { askTwilio } from "./twilio.ts";
import { errorCodeOf, untilKnown } from "../../supabase/functions/_shared/db/client.ts";
import { VAULT_NAMES } from "../deploy/vault.ts";
import type { AlertRow, DatabaseAnswer, Examination, HealthAnswer } from "./diagnose.ts";

const DEADLINE_MS = 15_000;

/**
 * Collects the facts for `diagnose` as a visitor; with the secret key, also the alerts that fire. Changes nothing: the
 * one webhook that it sends is unsigned and refused. Never rejects.
 *
 * @param url Without a trailing slash.
 * @param database To compare its schema with this release's, and to look into Vault.
 * @param twilio To check the account's limits and whether its recordings are protected.
 */
export async function examine(
  url: string,
  secretKey: string | undefined,
  database?: Database,
  twilio?: TwilioAccess,
): Promise<Examination> {
  const [health, unsigned, alerts, mailDueSince, found, account] = await Promise.all([
    askHealth(`${url}/functions/v1/voice-health`, secretKey),
    askUnsigned(`${url}/functions/v1/voice-action`),
    secretKey === undefined ? undefined : askAlerts(url, secretKey),
    secretKey === undefined ? undefined : askMailDue(url, secretKey),
    database === undefined ? undefined : askDatabase(database),
    twilio === undefined ? undefined : askTwilio(twilio),
  ]);
  const local = ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
  return {
    url,
    local,
    now: new Date(),
    health,
    unsigned,
    alerts,
    mailDueSince,
    database: found,
    twilio: account,
  };
}

async function askHealth(
  url: string,
  key: string | undefined,
): Promise<HealthAnswer | undefined> {
  const response = await ask(url, key === undefined ? {} : { headers: { apikey: key } });
  if (response === undefined) return undefined;
  const body = await response.json().catch(() => undefined);
  return { status: response.status, body };
}

async function askUnsigned(url: string): Promise<number | undefined> {
  const response = await ask(url, {
    method: "POST",
    body: new URLSearchParams({ CallSid: "CAtest", Digits: "0" }),
  });
  await response?.body?.cancel();
  return response?.status;
}

async function askAlerts(url: string, key: string): Promise<AlertRow[] | undefined> {
  const query = "select=alert,severity,measured,summary,action&firing=is.true&order=severity,alert";
  return await askData(url, key, `alert_status?${query}`);
}

async function askMailDue(url: string, key: string): Promise<string | null | undefined> {
  const query = "select=due_at&worker=eq.notify-worker&order=due_at&limit=1";
  const rows = await askData<{ due_at: string }>(url, key, `job_lanes?${query}`);
  return rows && (rows[0]?.due_at ?? null);
}

async function askData<Row>(url: string, key: string, query: string): Promise<Row[] | undefined> {
  const headers = { apikey: key, ...(key.startsWith("ey") && { authorization: `Bearer ${key}` }) };
  const response = await untilKnown(
    () => ask(`${url}/rest/v1/${query}`, { headers }),
    errorCodeOf,
  );
  if (response?.ok) return await response.json();
  await response?.body?.cancel();
  return undefined;
}

async function askDatabase(database: Database): Promise<DatabaseAnswer> {
  const sql = connectTo(database);
  try {
    // British Columbia keeps its summer time from November 2026 on; zone data of before says 12:00.
    const [there] = await sql`
      select to_regclass('vault.secrets') is not null as vault,
        timestamptz '2026-12-01 20:00Z' at time zone 'America/Vancouver' = '2026-12-01 13:00' as "knowsZones"`;
    return {
      vaultLacks: there!["vault"] ? await missingInVault(sql) : undefined,
      knowsZones: there!["knowsZones"],
      drift: await driftOf(sql),
    };
  } catch (error) {
    return { unreachable: (error as Error).message || String((error as { code?: string }).code) };
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The schema that the migrations of this release make, as a test holds it. */
const RELEASE = new URL("../../supabase/schema.snapshot.txt", import.meta.url);

async function driftOf(sql: Sql): Promise<string[] | undefined> {
  const [newest] = await sql`
    select max(version) as version from supabase_migrations.schema_migrations`;
  if (newest?.["version"] !== SCHEMA_VERSION) return undefined;
  const release = (await Deno.readTextFile(RELEASE)).trimEnd().split("\n");
  return await sql.begin("read only", async (tx) => {
    // PostgreSQL writes names in the search path without their schema.
    await tx.unsafe(`set local search_path = "$user", public, extensions`);
    return drift(release, outline(await readSchema(tx)));
  }) as string[];
}

/** The secrets that the scheduled jobs look up and Vault lacks. */
async function missingInVault(sql: Sql): Promise<string[]> {
  const rows = await sql`select name from vault.secrets where name = any(${[...VAULT_NAMES]})`;
  const known = new Set(rows.map(({ name }) => name));
  return VAULT_NAMES.filter((name) => !known.has(name));
}

async function ask(url: string, init: RequestInit = {}): Promise<Response | undefined> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
  } catch {
    return undefined;
  }
}
