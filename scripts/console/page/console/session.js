/** The session: who is signed in, and the project under the person's own token. */

/** `{url, publishableKey, phone?}`. */
export const config = await (await fetch("config.json")).json();

const { access_token, refresh_token, ...brought } = Object.fromEntries(
  new URLSearchParams(location.hash.slice(1)),
);
/** What a mailed link brought: `{type}` or `{error_code}`. */
export const arrived = brought;
// Not by supabase-js, which leaves the tokens in the history, one step back.
if (access_token || arrived.error_code) {
  history.replaceState(null, "", location.pathname + location.search);
}

/** The project, under the person's own token. */
export const db = globalThis.supabase.createClient(config.url, config.publishableKey, {
  auth: { detectSessionInUrl: false },
});
if (access_token) {
  const { error } = await db.auth.setSession({ access_token, refresh_token });
  if (error) arrived.error_code = "otp_expired";
}

/** Who is signed in: `{user, org_id, role, member_id, name, business, zone}`. Set by main.js before any page is shown. */
export const me = {};

const RANKS = ["viewer", "agent", "admin", "owner"];
/** Whether the person has at least this role. Hides what would be refused; the database refuses. */
export const may = (role) => RANKS.indexOf(me.role) >= RANKS.indexOf(role);
