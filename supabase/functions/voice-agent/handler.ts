import { serveTalk, type Talk } from "../_shared/agent/driver.ts";
import { settingOf, unreadSetting } from "../_shared/agent/instructions.ts";
import { usableModels } from "../_shared/agent/models/mod.ts";
import { accountInPath, readToken, type SocketClaims } from "../_shared/agent/token.ts";
import { HttpError } from "../_shared/errors.ts";
import { MESSAGE_ONLY } from "../_shared/flows/builtin.ts";
import { own } from "../_shared/flows/language.ts";
import { clientAddress, errorResponse, type Handler, requireMethod } from "../_shared/http.ts";
import type { Tenant } from "../_shared/tenancy/tenants.ts";
import { isSignature, isSignedByTwilio } from "../_shared/twilio/signature.ts";
import { signer } from "../_shared/webhook.ts";
import type { AgentDeps } from "./deps.ts";

/** Talks move at a pause within this time before the isolate's end, and in any case so long before it. Milliseconds. */
const MOVE_FROM_MS = 45_000;
const MOVE_BY_MS = 10_000;

/** Longest wait for the flow, in milliseconds: the caller hears nothing meanwhile. */
const FLOW_MS = 2000;

/**
 * The socket of a talk with an agent. Twilio's signature and the token in the path are verified before the upgrade; the
 * body, of which there is none, is not read, as that would break it.
 * Source: https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
 */
export function createHandler(deps: AgentDeps): Handler {
  return async (request) => {
    try {
      const { claims, tenant } = await verified(deps, request);
      const limit = deps.talk.wait(FLOW_MS).then(() => undefined);
      const talk = await Promise.race([talkOf(deps, claims, tenant), limit]) ?? unread(claims);
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new HttpError(426, "upgrade_required", { upgrade: "websocket" });
      }
      const { socket, response } = deps.upgrade(request);
      deps.inBackground(serveTalk(socket, talk, deps.talk));
      return response;
    } catch (error) {
      const told = error instanceof HttpError ? error : new HttpError(500, "internal");
      deps.log(error instanceof HttpError ? "warn" : "error", {
        function: "voice-agent",
        status: told.status,
        outcome: told.code,
        ...(error instanceof Error && { reason: `${error.name}: ${error.message}` }),
      });
      return errorResponse(told);
    }
  };
}

/** @throws {HttpError} 405, 401, 503. */
async function verified(
  deps: AgentDeps,
  request: Request,
): Promise<{ claims: SocketClaims; tenant: Tenant | undefined }> {
  requireMethod(request, "GET");
  const { settings, mayCall, now } = deps;
  // One answer for every reason, so that it reveals nothing.
  const unauthorized = new HttpError(401, "unauthorized");
  if (!mayCall(clientAddress(request.headers))) throw unauthorized;
  const { pathname, search } = new URL(request.url);
  const path = accountInPath(pathname);
  const signature = request.headers.get("x-twilio-signature") ?? "";
  if (path === undefined || search !== "") throw unauthorized;
  if (!settings.allowInsecureWebhooks && !isSignature(signature)) throw unauthorized;
  const claims = readToken(settings.secretKeys, path.account, path.token, now());
  if (claims === undefined) throw unauthorized;
  const url = `${settings.publicFunctionsUrl.replace(/^http/, "ws")}${
    pathname.slice(pathname.indexOf("/voice-agent/"))
  }`;
  const { tenant } = await signer(
    deps,
    claims.account,
    (token) => settings.allowInsecureWebhooks || isSignedByTwilio(token, signature, url, {}),
  );
  return { claims, tenant };
}

/** Fixed words, and the end of the session: Twilio plays a busy tone where a socket does not open. */
function unread(
  { callSid, line, state: { node = "", language = "en-US", attempt, repeats = 0 } }: SocketClaims,
): Talk {
  const setting = unreadSetting(language, attempt > 1 || repeats > 0);
  return { callSid, line, node, setting };
}

/**
 * What the socket is to serve: the agent of the node, in the version that the call began with; `undefined`: that version
 * cannot be had.
 *
 * @throws {HttpError} 404 where the version has no such agent: Twilio asks for the action, and the flow goes on without.
 */
async function talkOf(
  { flows, settled, settings, bootedAt, talk: { now } }: AgentDeps,
  { callSid, line, account, state }: SocketClaims,
  tenant: Tenant | undefined,
): Promise<Talk | undefined> {
  const { flow } = await (await flows()).line(account, line, settled(tenant)).version(state.flow);
  if (flow === MESSAGE_ONLY.flow) return undefined;
  const id = state.node ?? "";
  const node = own(flow.nodes, id);
  const profile = node?.type === "agent" ? own(flow.agents, node.agent) : undefined;
  if (node?.type !== "agent" || profile === undefined) throw new HttpError(404, "not_found");
  const { isolateSec } = settings.agent;
  const endsAt = isolateSec === 0 ? Infinity : bootedAt + isolateSec * 1000;
  const began = now();
  return {
    callSid,
    line,
    node: id,
    setting: settingOf(profile, node, {
      language: state.language ?? flow.languages[0]!,
      goesOn: state.attempt > 1 || (state.repeats ?? 0) > 0,
      models: usableModels(profile.models ?? [], settings.models),
      // An isolate that is about to end serves what it can: a talk of a second would only move on and on.
      moveFrom: Math.max(endsAt - MOVE_FROM_MS, began + MOVE_BY_MS),
      moveBy: Math.max(endsAt - MOVE_BY_MS, began + 2 * MOVE_BY_MS),
    }),
  };
}
