// The stand-in for Supabase Auth, driven by the real supabase-js.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { ensureUser, totp } from "../../scripts/local/auth_api.ts";
import { LOCAL_PUBLISHABLE_KEY, LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { startTestStack } from "../support/database.ts";

let ahead = 0;
const stack = await startTestStack({ now: () => new Date(Date.now() + ahead) });
Deno.test.afterAll(() => stack.stop());

const PASSWORD = "correct horse";
/** A new user with a password. */
async function person() {
  const email = `${crypto.randomUUID()}@example.com`;
  return { email, id: await ensureUser(stack.db.sql, email, PASSWORD) };
}

function client(key = LOCAL_PUBLISHABLE_KEY): SupabaseClient {
  return createClient(stack.url, key, { auth: { autoRefreshToken: false, persistSession: false } });
}

/** A client that is signed in. */
async function signedIn() {
  const { email, id } = await person();
  const supabase = client();
  const { data, error } = await supabase.auth.signInWithPassword({ email, password: PASSWORD });
  assertEquals(error, null);
  return { supabase, email, id, session: data.session! };
}

/** What an error is known by. */
// deno-lint-ignore no-explicit-any
const told = (error: any) => error && [error.status, error.code, error.message];

const linkTo = (email: string) =>
  /href="([^"]+)"/.exec(stack.mails.findLast(({ to }) => to === email)!.html)![1]!
    .replaceAll("&amp;", "&");

/** Where a mailed link leads: the site with what is in its fragment. */
async function follow(link: string) {
  const response = await fetch(link, { redirect: "manual" });
  await response.body?.cancel();
  assertEquals(response.status, 303);
  const target = new URL(response.headers.get("location")!);
  return { target, ...Object.fromEntries(new URLSearchParams(target.hash.slice(1))) } as
    & Record<string, string>
    & { target: URL };
}

Deno.test("auth: a password signs in, and its token is one that the Data API and the functions take", async () => {
  const { supabase, id, session } = await signedIn();
  assertEquals(session.user.id, id);
  const { data } = await supabase.auth.getUser();
  assertEquals(data.user!.id, id);
  assertEquals((await supabase.rpc("my_membership")).data, null);
  await stack.db.sql`insert into members (user_id, email, role, joined_at)
    values (${id}, ${session.user.email!}, 'admin', now())`;
  assertEquals((await supabase.rpc("my_membership")).data.role, "admin");
  const flows = await fetch(`${stack.url}/functions/v1/call-flows`, {
    headers: { authorization: `Bearer ${session.access_token}` },
  });
  assertEquals([flows.status, await flows.json()], [200, { versions: [] }]);
});

Deno.test("auth: a wrong password and an unknown address get the same answer", async () => {
  const { email } = await person();
  for (const [address, password] of [[email, "wrong"], ["nobody@example.com", PASSWORD]] as const) {
    // deno-lint-ignore no-await-in-loop
    const { error } = await client().auth.signInWithPassword({ email: address, password });
    assertEquals(told(error), [400, "invalid_credentials", "Invalid login credentials"]);
  }
});

Deno.test("auth: nobody signs up, and without a key nothing is answered", async () => {
  const { error } = await client().auth.signUp({ email: "new@example.com", password: PASSWORD });
  assertEquals(told(error)[1], "signup_disabled");
  const otp = await client().auth.signInWithOtp({ email: "new@example.com" });
  assertEquals(told(otp.error)[1], "signup_disabled");
  const without = await fetch(`${stack.url}/auth/v1/settings`);
  assertEquals(without.status, 401);
  await without.body?.cancel();
});

Deno.test("auth: a refresh token is used once; a second use within 10 s gets the same new one; a later one ends the session", async () => {
  const { session } = await signedIn();
  const refresh = async (refresh_token: string) =>
    await client().auth.refreshSession({ refresh_token });
  const first = (await refresh(session.refresh_token)).data.session!;
  assert(first.refresh_token !== session.refresh_token);
  const again = (await refresh(session.refresh_token)).data.session!;
  assertEquals(again.refresh_token, first.refresh_token);
  const second = (await refresh(first.refresh_token)).data.session!;
  ahead += 11_000;
  const stolen = await refresh(session.refresh_token);
  assertEquals(told(stolen.error), [
    400,
    "refresh_token_already_used",
    "Invalid Refresh Token: Already Used",
  ]);
  assertEquals(told((await refresh(second.refresh_token)).error)[1], "refresh_token_already_used");
  assertEquals(told((await refresh("never")).error)[1], "refresh_token_not_found");
});

Deno.test("auth: who signs out has no session any more", async () => {
  const { supabase, session } = await signedIn();
  assertEquals((await supabase.auth.signOut()).error, null);
  const { error } = await client().auth.getUser(session.access_token);
  // supabase-js makes this of session_not_found.
  assertEquals(error!.name, "AuthSessionMissingError");
});

Deno.test("auth: a mailed link signs in once, and not after an hour", async () => {
  const { email, id } = await person();
  const ask = async () =>
    await client().auth.signInWithOtp({ email, options: { shouldCreateUser: false } });
  assertEquals((await ask()).error, null);
  const { access_token, target, type } = await follow(linkTo(email));
  assertEquals([target.pathname, type], ["/console/", "magiclink"]);
  const { data } = await client().auth.getUser(access_token);
  assertEquals(data.user!.id, id);
  assertEquals((await follow(linkTo(email))).error_code, "otp_expired");
  await ask();
  ahead += 3_601_000;
  assertEquals((await follow(linkTo(email))).error_code, "otp_expired");
});

Deno.test("auth: a link leads to no other site, and the mailed code does what the link does", async () => {
  const { email } = await person();
  await client().auth.signInWithOtp({
    email,
    options: { shouldCreateUser: false, emailRedirectTo: "https://evil.example/" },
  });
  const code = /code: (\d{6})/.exec(stack.mails.at(-1)!.html)![1]!;
  assertEquals(
    new URL(linkTo(email)).searchParams.get("redirect_to"),
    "http://127.0.0.1:54323/console/",
  );
  const { data } = await client().auth.verifyOtp({ email, token: code, type: "email" });
  assertEquals(data.user!.email, email);
  const { error } = await client().auth.verifyOtp({ email, token: code, type: "email" });
  assertEquals(told(error)[1], "otp_expired");
});

Deno.test("auth: the service invites; the invited person sets a password and signs in with it", async () => {
  const email = "invited@example.com";
  const refused = await client().auth.admin.inviteUserByEmail(email);
  assertEquals(told(refused.error), [403, "not_admin", "User not allowed"]);
  assertEquals((await client(LOCAL_SECRET_KEY).auth.admin.inviteUserByEmail(email)).error, null);
  const { access_token, refresh_token } = await follow(linkTo(email));
  const supabase = client();
  await supabase.auth.setSession({ access_token: access_token!, refresh_token: refresh_token! });
  assertEquals(
    told((await supabase.auth.updateUser({ password: "short" })).error)[1],
    "weak_password",
  );
  assertEquals((await supabase.auth.updateUser({ password: PASSWORD })).error, null);
  assertEquals((await client().auth.signInWithPassword({ email, password: PASSWORD })).error, null);
  const again = await client(LOCAL_SECRET_KEY).auth.admin.inviteUserByEmail(email);
  assertEquals(told(again.error)[1], "email_exists");
});

Deno.test("auth: without the second factor that a person has, they are no member", async () => {
  const { supabase, email, id } = await signedIn();
  await stack.db.sql`insert into members (user_id, email, role, joined_at)
    values (${id}, ${email}, 'owner', now())`;
  const { data: factor } = await supabase.auth.mfa.enroll({ factorType: "totp" });
  const { secret } = factor!.totp;
  const code = () => totp(secret, Math.floor((Date.now() + ahead) / 30_000));
  const show = async (supabase: SupabaseClient, code: string) =>
    await supabase.auth.mfa.challengeAndVerify({ factorId: factor!.id, code });
  assertEquals(told((await show(supabase, "000000")).error)[1], "mfa_verification_failed");
  assertEquals((await show(supabase, code())).error, null);
  assertEquals((await supabase.rpc("my_membership")).data.role, "owner");

  const other = client();
  await other.auth.signInWithPassword({ email, password: PASSWORD });
  const level = await other.auth.mfa.getAuthenticatorAssuranceLevel();
  assertEquals([level.data!.currentLevel, level.data!.nextLevel], ["aal1", "aal2"]);
  assertEquals((await other.rpc("my_membership")).data, null);
  assertEquals((await other.from("members").select()).data, []);
  assertEquals((await show(other, code())).error, null);
  assertEquals((await other.rpc("my_membership")).data.role, "owner");
});

Deno.test("auth: an invitation is mailed by the worker, and accepted by its link; one that was taken back is not", async () => {
  const [email, gone] = ["carla@example.com", "gone@example.com"];
  const { supabase, id, email: owner } = await signedIn();
  await stack.db.sql`insert into members (user_id, email, role, joined_at)
    values (${id}, ${owner}, 'owner', now())`;
  const inserted = await supabase.from("members").insert([{ email, role: "agent" }, {
    email: gone,
    role: "agent",
  }]);
  assertEquals(inserted.error, null);
  await supabase.from("members").delete().eq("email", gone);
  const work = async () => {
    const response = await fetch(`${stack.url}/functions/v1/notify-worker`, {
      method: "POST",
      headers: { apikey: LOCAL_SECRET_KEY },
    });
    await response.body?.cancel();
  };
  await work();
  assertEquals(stack.mails.filter(({ to }) => [email, gone].includes(to)).map(({ to }) => to), [
    email,
  ]);
  const { access_token } = await follow(linkTo(email));
  const carla = createClient(stack.url, LOCAL_PUBLISHABLE_KEY, {
    auth: { persistSession: false },
    global: { headers: { authorization: `Bearer ${access_token}` } },
  });
  const { data } = await carla.rpc("join_as_member");
  assertEquals(data.role, "agent");
  const { data: jobs } = await createClient(stack.url, LOCAL_SECRET_KEY).from("jobs").select(
    "status",
  ).eq("kind", "invite");
  assertEquals(jobs!.map(({ status }) => status), ["done", "done"]);
});
