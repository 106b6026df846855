import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { LOCAL_JWT_SECRET } from "../../scripts/local/stack.ts";

/** A token signed by HS256, as Supabase Auth signs them; `alg` is what its header says of that. */
export function signJwt(
  claims: Readonly<Record<string, unknown>>,
  secret = LOCAL_JWT_SECRET,
  alg = "HS256",
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${part({ alg, typ: "JWT" })}.${part(claims)}`;
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
}
