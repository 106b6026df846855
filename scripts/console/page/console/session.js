/** The session: who is signed in, and the project under the person's own token. */

/** `{url, publishableKey, phone?}`. */
export const config = await (await fetch("config.json")).json();

/** What a mailed link brought, read before supabase-js takes it away: `{type}` or `{error_code}`. */
export const arrived = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/** The project, under the person's own token. */
export const db = globalThis.supabase.createClient(config.url, config.publishableKey);

/** Who is signed in: `{user, org_id, role, member_id, name, business, zone}`. Set by main.js before any page is shown. */
export const me = {};

const RANKS = ["viewer", "agent", "admin", "owner"];
/** Whether the person has at least this role. Hides what would be refused; the database refuses. */
export const may = (role) => RANKS.indexOf(me.role) >= RANKS.indexOf(role);
