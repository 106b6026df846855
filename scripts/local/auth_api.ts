/**
 * Supabase Auth (GoTrue) over the tables of schema `auth`, as far as this project and supabase-js use it: sign-in by
 * password and by mailed link, refresh with rotation, invitations, TOTP factors. Sign-up is off, as in a project whose
 * people are invited.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, randomBytes } from "node:crypto";
import type { Sql } from "postgres";
import { verifyJwt } from "./data_api.ts";
import { RestError } from "./rest_error.ts";

export interface AuthApiOptions {
  /** A connection that may write to schema `auth`. */
  readonly sql: Sql;
  /** The role behind each API key. */
  readonly keys: Readonly<Record<string, "anon" | "service_role">>;
  readonly jwtSecret: string;
  /** Where this API is reached; without a trailing slash. */
  readonly url: () => string;
  /** The address that links lead to, unless another of the same origin is asked for. */
  readonly siteUrl: () => string;
  readonly sendMail: (mail: AuthMail) => Promise<void>;
  readonly now?: () => Date;
}

export interface AuthMail {
  readonly to: string;
  readonly subject: string;
  readonly html: string;
}

/** Seconds. */
const TOKEN_LIVES = 3600;
const LINK_LIVES = 3600;
/** A refresh token may be used again this long: two tabs, a lost answer. Seconds. */
const REUSE_INTERVAL = 10;
const CHALLENGE_LIVES = 300;
const API_VERSION = "2024-01-01";

class AuthError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly more: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

interface User {
  id: string;
  email: string;
  email_confirmed_at: Date | null;
  invited_at: Date | null;
  last_sign_in_at: Date | null;
  raw_app_meta_data: Record<string, unknown>;
  raw_user_meta_data: Record<string, unknown>;
  created_at: Date;
  updated_at: Date;
}

interface Session {
  id: string;
  user_id: string;
  aal: string;
  amr: { method: string; timestamp: number }[];
}

type LinkType = "magiclink" | "invite" | "recovery";

// deno-lint-ignore no-explicit-any -- A JSON body.
type Body = any;

/** Answers `/auth/v1/...`. */
export function createAuthApi(options: AuthApiOptions): (request: Request) => Promise<Response> {
  const { sql, jwtSecret, keys } = options;
  const now = options.now ?? (() => new Date());
  const seconds = () => Math.floor(now().getTime() / 1000);

  const userBy = async (column: "id" | "email", value: string) =>
    (await sql<User[]>`select * from auth.users where ${sql(column)} = ${value}`)[0];

  async function factorsOf(userId: string) {
    return await sql`
      select id, friendly_name, factor_type, status, created_at, updated_at
      from auth.mfa_factors where user_id = ${userId} order by created_at`;
  }

  async function shown(user: User) {
    const factors = await factorsOf(user.id);
    return {
      id: user.id,
      aud: "authenticated",
      role: "authenticated",
      email: user.email,
      email_confirmed_at: user.email_confirmed_at,
      invited_at: user.invited_at ?? undefined,
      phone: "",
      confirmed_at: user.email_confirmed_at,
      last_sign_in_at: user.last_sign_in_at,
      app_metadata: user.raw_app_meta_data,
      user_metadata: user.raw_user_meta_data,
      ...(factors.length > 0 && { factors }),
      identities: [],
      created_at: user.created_at,
      updated_at: user.updated_at,
      is_anonymous: false,
    };
  }

  function accessToken(user: User, session: Session): { token: string; exp: number } {
    const iat = seconds();
    const exp = iat + TOKEN_LIVES;
    const token = sign({
      iss: `${options.url()}/auth/v1`,
      sub: user.id,
      aud: "authenticated",
      exp,
      iat,
      email: user.email,
      phone: "",
      app_metadata: user.raw_app_meta_data,
      user_metadata: user.raw_user_meta_data,
      role: "authenticated",
      aal: session.aal,
      amr: session.amr,
      session_id: session.id,
      is_anonymous: false,
    }, jwtSecret);
    return { token, exp };
  }

  async function answer(user: User, session: Session, refresh: string) {
    const { token, exp } = accessToken(user, session);
    return {
      access_token: token,
      token_type: "bearer",
      expires_in: TOKEN_LIVES,
      expires_at: exp,
      refresh_token: refresh,
      user: await shown(user),
    };
  }

  async function newRefreshToken(sessionId: string, parent: string | null) {
    const token = randomBytes(9).toString("base64url");
    await sql`insert into auth.refresh_tokens (token, session_id, parent, created_at, updated_at)
      values (${token}, ${sessionId}, ${parent}, ${now()}, ${now()})`;
    return token;
  }

  async function signIn(user: User, method: string) {
    const amr = [{ method, timestamp: seconds() }];
    const [session] = await sql<Session[]>`
      insert into auth.sessions (user_id, amr) values (${user.id}, ${sql.json(amr)}) returning *`;
    const [signedIn] = await sql<User[]>`
      update auth.users set last_sign_in_at = ${now()} where id = ${user.id} returning *`;
    return {
      user: signedIn!,
      session: session!,
      refresh: await newRefreshToken(session!.id, null),
    };
  }

  /** The user and session of a request's token. */
  async function bearer(request: Request): Promise<{ user: User; session: Session }> {
    const token = /^Bearer +(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token === undefined || keys[token] !== undefined) {
      throw new AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token");
    }
    let claims: Record<string, unknown>;
    try {
      claims = verifyJwt(token, jwtSecret);
    } catch {
      throw new AuthError(
        403,
        "bad_jwt",
        "invalid JWT: unable to parse or verify signature, token is unverifiable",
      );
    }
    const [session] = await sql<Session[]>`
      select * from auth.sessions where id = ${String(claims["session_id"] ?? NONE)}`;
    if (session === undefined) {
      throw new AuthError(
        403,
        "session_not_found",
        "Session from session_id claim in JWT does not exist",
      );
    }
    const user = await userBy("id", session.user_id);
    return { user: user!, session };
  }

  async function passwordGrant({ email, password }: Body) {
    const [user] = await sql<User[]>`
      select * from auth.users where email = ${String(email ?? "").toLowerCase()}
        and encrypted_password = extensions.crypt(${String(password ?? "")}, encrypted_password)`;
    if (user === undefined) {
      throw new AuthError(400, "invalid_credentials", "Invalid login credentials");
    }
    if (user.email_confirmed_at === null) {
      throw new AuthError(400, "email_not_confirmed", "Email not confirmed");
    }
    const { session, refresh, ...signedIn } = await signIn(user, "password");
    return await answer(signedIn.user, session, refresh);
  }

  async function refreshGrant({ refresh_token }: Body) {
    const [token] = await sql`
      select t.*, s.user_id from auth.refresh_tokens as t join auth.sessions as s on s.id = t.session_id
      where t.token = ${String(refresh_token ?? "")}`;
    if (token === undefined) {
      throw new AuthError(
        400,
        "refresh_token_not_found",
        "Invalid Refresh Token: Refresh Token Not Found",
      );
    }
    const sessionId = token["session_id"] as string;
    const [session] = await sql<Session[]>`select * from auth.sessions where id = ${sessionId}`;
    const user = (await userBy("id", session!.user_id))!;
    const rotated = await sql`
      update auth.refresh_tokens set revoked = true, updated_at = ${now()}
      where token = ${refresh_token} and not revoked`;
    if (rotated.count === 1) {
      return await answer(user, session!, await newRefreshToken(sessionId, refresh_token));
    }
    // Of two uses the second gets the token that the first one got.
    const [active] = await sql`
      select token, parent from auth.refresh_tokens
      where session_id = ${sessionId} and not revoked order by id desc limit 1`;
    const age = (now().getTime() - (token["updated_at"] as Date).getTime()) / 1000;
    if (active !== undefined && (active["parent"] === refresh_token || age <= REUSE_INTERVAL)) {
      return await answer(user, session!, active["token"]);
    }
    await sql`update auth.refresh_tokens set revoked = true where session_id = ${sessionId}`;
    throw new AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used");
  }

  async function mailLink(user: User, type: LinkType, redirectTo: string | null) {
    const token = randomBytes(28).toString("hex");
    const code = String(randomBytes(4).readUInt32BE() % 1_000_000).padStart(6, "0");
    await sql`delete from auth.one_time_tokens where user_id = ${user.id} and token_type = ${type}`;
    for (const each of [token, `${user.email}:${code}`]) {
      // deno-lint-ignore no-await-in-loop
      await sql`insert into auth.one_time_tokens (token_hash, user_id, token_type, created_at)
        values (${hash(each)}, ${user.id}, ${type}, ${now()})`;
    }
    const link = `${options.url()}/auth/v1/verify?token=${token}&type=${type}&redirect_to=${
      encodeURIComponent(allowed(redirectTo))
    }`;
    const [subject, words] = MAILS[type];
    await options.sendMail({
      to: user.email,
      subject,
      html: `<h2>${subject}</h2><p>${words}</p><p><a href="${
        link.replaceAll("&", "&amp;")
      }">${subject}</a></p>${type === "invite" ? "" : `<p>Or enter the code: ${code}</p>`}`,
    });
  }

  /** As the redirect allow list of a project whose only entry is its site. */
  function allowed(redirectTo: string | null): string {
    const site = options.siteUrl();
    if (redirectTo === null || !URL.canParse(redirectTo)) return site;
    const asked = new URL(redirectTo);
    const sites = [new URL(site).host, new URL(site).host.replace("127.0.0.1", "localhost")];
    return asked.protocol.startsWith("http") && sites.includes(asked.host) ? redirectTo : site;
  }

  async function newUser(email: string) {
    if (!/^[^@\s]+@[^@\s]+$/.test(email)) {
      throw new AuthError(
        400,
        "validation_failed",
        "Unable to validate email address: invalid format",
      );
    }
    const [user] = await sql<User[]>`
      insert into auth.users (email, invited_at) values (${email}, ${now()})
      on conflict (email) do nothing returning *`;
    return user;
  }

  async function invite(request: Request, { email, data }: Body, redirectTo: string | null) {
    requireService(request);
    const address = String(email ?? "").toLowerCase();
    const known = await userBy("email", address);
    if (known?.email_confirmed_at) {
      throw new AuthError(
        422,
        "email_exists",
        "A user with this email address has already been registered",
      );
    }
    const user = known ?? (await newUser(address))!;
    if (data) {
      await sql`update auth.users set raw_user_meta_data = ${sql.json(data)} where id = ${user.id}`;
    }
    await mailLink(user, "invite", redirectTo);
    return await shown(user);
  }

  function requireService(request: Request): void {
    const token = /^Bearer +(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const given = [token, request.headers.get("apikey")];
    if (!given.some((key) => key && keys[key] === "service_role")) {
      throw new AuthError(403, "not_admin", "User not allowed");
    }
  }

  async function otp({ email, create_user }: Body, redirectTo: string | null, type: LinkType) {
    const user = await userBy("email", String(email ?? "").toLowerCase());
    if (user !== undefined) await mailLink(user, type, redirectTo);
    else if (type === "magiclink" && create_user !== true) {
      throw new AuthError(422, "otp_disabled", "Signups not allowed for otp");
    } else if (type === "magiclink") {
      throw new AuthError(422, "signup_disabled", "Signups not allowed for this instance");
    }
    return {};
  }

  /** Uses a link or code up. */
  async function consume(token: string, types: readonly string[]) {
    const [used] = await sql`
      delete from auth.one_time_tokens
      where token_hash = ${token} and token_type = any (${types as string[]}) returning *`;
    const age = used && (now().getTime() - (used["created_at"] as Date).getTime()) / 1000;
    if (used === undefined || age! > LINK_LIVES) {
      throw new AuthError(403, "otp_expired", "Token has expired or is invalid");
    }
    await sql`delete from auth.one_time_tokens
      where user_id = ${used["user_id"]} and token_type = ${used["token_type"]}`;
    const [user] = await sql<User[]>`
      update auth.users set email_confirmed_at = coalesce(email_confirmed_at, ${now()})
      where id = ${used["user_id"]} returning *`;
    return await signIn(user!, used["token_type"] === "invite" ? "invite" : "otp");
  }

  async function verify({ email, token, token_hash, type }: Body) {
    const types = type === "email" ? ["magiclink", "invite"] : [String(type)];
    const key = token_hash === undefined
      ? hash(`${String(email).toLowerCase()}:${token}`)
      : hash(String(token_hash));
    const { user, session, refresh } = await consume(key, types);
    return await answer(user, session, refresh);
  }

  async function follow(params: URLSearchParams): Promise<Response> {
    const target = new URL(allowed(params.get("redirect_to")));
    const type = params.get("type") ?? "";
    let fragment: URLSearchParams;
    try {
      const { user, session, refresh } = await consume(hash(params.get("token") ?? ""), [type]);
      const { user: _, ...tokens } = await answer(user, session, refresh);
      fragment = new URLSearchParams({ ...tokens, type } as unknown as Record<string, string>);
    } catch (error) {
      if (!(error instanceof AuthError)) throw error;
      fragment = new URLSearchParams({
        error: "access_denied",
        error_code: error.code,
        error_description: "Email link is invalid or has expired",
      });
    }
    target.hash = String(fragment);
    return new Response(null, { status: 303, headers: { location: target.href } });
  }

  async function updateUser(request: Request, body: Body) {
    const { user, session } = await bearer(request);
    if (body.password !== undefined) {
      const password = String(body.password);
      if (password.length < 6) {
        throw new AuthError(
          422,
          "weak_password",
          "Password should be at least 6 characters.",
          { weak_password: { reasons: ["length"] } },
        );
      }
      const factors = await factorsOf(user.id);
      if (session.aal !== "aal2" && factors.some(({ status }) => status === "verified")) {
        throw new AuthError(
          401,
          "insufficient_aal",
          "AAL2 session is required to update email or password when MFA is enabled.",
        );
      }
      const [same] = await sql`select from auth.users where id = ${user.id}
        and encrypted_password = extensions.crypt(${password}, encrypted_password)`;
      if (same !== undefined) {
        throw new AuthError(
          422,
          "same_password",
          "New password should be different from the old password.",
        );
      }
      await sql`update auth.users set updated_at = ${now()},
        encrypted_password = extensions.crypt(${password}, extensions.gen_salt('bf', 8)) where id = ${user.id}`;
    }
    if (body.data) {
      await sql`update auth.users set raw_user_meta_data = raw_user_meta_data || ${
        sql.json(body.data)
      }, updated_at = ${now()} where id = ${user.id}`;
    }
    return await shown((await userBy("id", user.id))!);
  }

  async function logout(request: Request, scope: string) {
    const { user, session } = await bearer(request);
    await (scope === "local"
      ? sql`delete from auth.sessions where id = ${session.id}`
      : scope === "others"
      ? sql`delete from auth.sessions where user_id = ${user.id} and id <> ${session.id}`
      : sql`delete from auth.sessions where user_id = ${user.id}`);
    return new Response(null, { status: 204 });
  }

  async function factors(request: Request, id: string | undefined, act: string, body: Body) {
    const { user, session } = await bearer(request);
    if (id === undefined) return await enrol(user, body);
    const [factor] = await sql`
      select * from auth.mfa_factors where id::text = ${id} and user_id = ${user.id}`;
    if (factor === undefined) {
      throw new AuthError(404, "mfa_factor_not_found", "Factor not found");
    }
    if (act === "challenge") {
      const [challenge] = await sql`insert into auth.mfa_challenges (factor_id, created_at)
        values (${id}, ${now()}) returning id`;
      return { id: challenge!["id"], type: "totp", expires_at: seconds() + CHALLENGE_LIVES };
    }
    if (act === "verify") return await verifyFactor(user, session, factor, body);
    if (factor["status"] === "verified" && session.aal !== "aal2") {
      throw new AuthError(403, "insufficient_aal", "AAL2 required to unenroll verified factor");
    }
    await sql`delete from auth.mfa_factors where id = ${id}`;
    await sql`update auth.sessions set aal = 'aal1' where user_id = ${user.id}`;
    return { id };
  }

  async function enrol(user: User, { factor_type, friendly_name }: Body) {
    if (factor_type !== "totp") {
      throw new AuthError(400, "validation_failed", "factor_type needs to be totp");
    }
    await sql`delete from auth.mfa_factors where user_id = ${user.id} and status = 'unverified'`;
    const name = friendly_name ?? "";
    const [taken] = await sql`
      select from auth.mfa_factors where user_id = ${user.id} and friendly_name = ${name}`;
    if (taken !== undefined) {
      throw new AuthError(
        422,
        "mfa_factor_name_conflict",
        `A factor with the friendly name "${name}" for this user already exists`,
      );
    }
    const secret = base32(randomBytes(20));
    const [factor] = await sql`insert into auth.mfa_factors (user_id, friendly_name, secret)
      values (${user.id}, ${name}, ${secret}) returning id`;
    const issuer = new URL(options.siteUrl()).host;
    const uri = `otpauth://totp/${
      encodeURIComponent(`${issuer}:${user.email}`)
    }?${new URLSearchParams(
      { algorithm: "SHA1", digits: "6", issuer, period: "30", secret },
    )}`;
    // The picture is the one thing that is left out: nobody scans a local stand-in.
    return {
      id: factor!["id"],
      type: "totp",
      friendly_name: name,
      totp: { qr_code: "", secret, uri },
    };
  }

  async function verifyFactor(user: User, session: Session, factor: Body, body: Body) {
    const [challenge] = await sql`delete from auth.mfa_challenges
      where id::text = ${
      String(body.challenge_id ?? "")
    } and factor_id = ${factor.id} returning created_at`;
    const age = challenge && (now().getTime() - challenge["created_at"].getTime()) / 1000;
    if (challenge === undefined || age! > CHALLENGE_LIVES) {
      throw new AuthError(
        422,
        "mfa_challenge_expired",
        `MFA challenge ${body.challenge_id} has expired, verify against another challenge or create a new challenge.`,
      );
    }
    const counter = Math.floor(seconds() / 30);
    const fits = [counter - 1, counter, counter + 1].some((each) =>
      totp(factor.secret, each) === String(body.code)
    );
    if (!fits) {
      throw new AuthError(422, "mfa_verification_failed", "Invalid TOTP code entered");
    }
    await sql`update auth.mfa_factors set status = 'verified', updated_at = ${now()} where id = ${factor.id}`;
    const amr = [...session.amr, { method: "totp", timestamp: seconds() }];
    // The other sessions have not shown the factor.
    await sql`delete from auth.sessions where user_id = ${user.id} and aal = 'aal1' and id <> ${session.id}`;
    const [raised] = await sql<Session[]>`update auth.sessions set aal = 'aal2', amr = ${
      sql.json(amr)
    } where id = ${session.id} returning *`;
    await sql`update auth.refresh_tokens set revoked = true where session_id = ${session.id}`;
    return await answer(user, raised!, await newRefreshToken(session.id, null));
  }

  async function route(request: Request, url: URL): Promise<unknown> {
    const [first = "", id, act = ""] = url.pathname.slice("/auth/v1/".length).split("/");
    const body = ["POST", "PUT"].includes(request.method) ? await readBody(request) : {};
    const redirectTo = url.searchParams.get("redirect_to");
    switch (`${request.method} ${first}`) {
      case "GET health":
        return {
          name: "GoTrue",
          description: "GoTrue is a user registration and authentication API",
        };
      case "GET settings":
        return { external: { email: true }, disable_signup: true, mailer_autoconfirm: false };
      case "GET .well-known":
        // Tokens are signed with the project's secret, which is not published.
        return { keys: [] };
      case "POST token":
        if (url.searchParams.get("grant_type") === "password") return await passwordGrant(body);
        if (url.searchParams.get("grant_type") === "refresh_token") return await refreshGrant(body);
        throw new AuthError(400, "validation_failed", "unsupported_grant_type");
      case "POST signup":
        throw new AuthError(422, "signup_disabled", "Signups not allowed for this instance");
      case "POST otp":
        return await otp(body, redirectTo, "magiclink");
      case "POST recover":
        return await otp(body, redirectTo, "recovery");
      case "POST invite":
        return await invite(request, body, redirectTo);
      case "POST verify":
        return await verify(body);
      case "GET verify":
        return await follow(url.searchParams);
      case "GET user":
        return await shown((await bearer(request)).user);
      case "PUT user":
        return await updateUser(request, body);
      case "POST logout":
        return await logout(request, url.searchParams.get("scope") ?? "global");
      case "POST factors":
      case "DELETE factors":
        return await factors(request, id, act, body);
    }
    throw new AuthError(404, "not_found", "404 page not found");
  }

  return async (request) => {
    const url = new URL(request.url);
    try {
      const open = /^\/auth\/v1\/(verify|\.well-known)\b/.test(url.pathname) &&
        request.method === "GET";
      if (!open && keys[request.headers.get("apikey") ?? ""] === undefined) {
        return Response.json({
          message: "No API key found in request",
          hint: "No `apikey` request header or url param was found.",
        }, { status: 401 });
      }
      const answer = await route(request, url);
      return answer instanceof Response ? answer : Response.json(answer);
    } catch (error) {
      if (error instanceof AuthError) return refusal(request, error);
      if (error instanceof RestError) return error.toResponse();
      return refusal(request, new AuthError(500, "unexpected_failure", "Internal Server Error"));
    }
  };
}

/** In the form that the client's version of the API asks for. */
function refusal(request: Request, { status, code, message, more }: AuthError): Response {
  return (request.headers.get("x-supabase-api-version") ?? "") >= API_VERSION
    ? Response.json({ code, message, ...more }, {
      status,
      headers: { "x-supabase-api-version": API_VERSION },
    })
    : Response.json({ code: status, error_code: code, msg: message, ...more }, { status });
}

const MAILS: Readonly<Record<LinkType, readonly [subject: string, words: string]>> = {
  magiclink: ["Your sign-in link", "Follow this link to sign in:"],
  invite: ["You have been invited", "Follow this link to accept the invitation:"],
  recovery: ["Reset your password", "Follow this link to set a new password:"],
};

/** A UUID that no row has. */
const NONE = "00000000-0000-0000-0000-000000000000";

/** Makes a user with a password, unless there is one with this address. @returns the user's id. */
export async function ensureUser(sql: Sql, email: string, password: string): Promise<string> {
  await sql`
    insert into auth.users (email, encrypted_password, email_confirmed_at)
    values (${email}, extensions.crypt(${password}, extensions.gen_salt('bf', 8)), now())
    on conflict (email) do nothing`;
  const [user] = await sql`select id from auth.users where email = ${email}`;
  return user!["id"];
}

/** The six digits of a TOTP secret at a step of 30 seconds (RFC 6238). */
export function totp(secret: string, counter: number): string {
  const bits = [...secret].map((c) => BASE32.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const digest = createHmac("sha1", key).update(message).digest();
  const at = digest.at(-1)! & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[parseInt(five, 2)]).join("");
}

function sign(claims: Record<string, unknown>, secret: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");

async function readBody(request: Request): Promise<Body> {
  const text = await request.text();
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new AuthError(400, "bad_json", "Could not parse request body as JSON");
  }
}
