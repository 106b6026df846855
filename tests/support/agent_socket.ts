import {
  SOCKET_SECONDS,
  type SocketClaims,
  socketUrl,
} from "../../supabase/functions/_shared/agent/token.ts";
import { ARRIVAL } from "../../supabase/functions/_shared/calls/state.ts";
import { versionName } from "../../supabase/functions/_shared/flows/version.ts";
import type { AgentDeps } from "../../supabase/functions/voice-agent/deps.ts";
import { AGENT_FLOW } from "./agent_flow.ts";
import {
  AUTH_TOKEN,
  CALL_SID,
  LINE_NUMBER,
  NOW,
  PUBLIC_URL,
  publication,
  sign,
  testDeps,
  type TestDepsOptions,
} from "./webhook.ts";

const { hash } = publication(AGENT_FLOW);
const SECRET = "sb_secret_of_the_tests";
export const CLAIMS: SocketClaims = {
  callSid: CALL_SID,
  line: LINE_NUMBER,
  account: undefined,
  state: { ...ARRIVAL, turn: 3, flow: versionName(hash), node: "desk", language: "en-US" },
  expires: NOW.getTime() / 1000 + SOCKET_SECONDS,
};

/** What the socket's handler gets: everything real but the upgrade, the database and the models. */
export function agentDeps(
  options: TestDepsOptions & Partial<Pick<AgentDeps, "flows" | "upgrade">> = {},
) {
  const upgraded: Request[] = [];
  const talks: Promise<unknown>[] = [];
  const base = testDeps({ flow: AGENT_FLOW, ...options });
  const deps: AgentDeps = {
    ...base,
    talk: {
      database: {} as AgentDeps["talk"]["database"],
      models: () => undefined,
      log: base.log,
      now: () => NOW.getTime(),
      wait: () => new Promise(() => {}),
    },
    upgrade(request) {
      upgraded.push(request);
      const socket = {
        send() {},
        close(this: { onclose?: () => void }) {
          this.onclose?.();
        },
        readyState: WebSocket.OPEN,
      };
      return { socket: socket as never, response: new Response("upgraded") };
    },
    inBackground: (work) => void talks.push(work),
    bootedAt: NOW.getTime(),
  };
  const { flows = deps.flows, upgrade = deps.upgrade } = options;
  return { deps: { ...deps, flows, upgrade }, upgraded, talks, lines: base.lines };
}

export interface Handshake {
  readonly claims?: Partial<SocketClaims>;
  readonly secret?: string;
  readonly token?: string;
  readonly signature?: string | undefined;
  readonly signedUrl?: (url: string) => string;
  readonly change?: (url: string) => string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

/** A handshake as Twilio makes it, with faults. */
export function handshake(
  {
    claims,
    secret = SECRET,
    token = AUTH_TOKEN,
    signature,
    signedUrl,
    change,
    method = "GET",
    headers,
  }: Handshake = {},
): Request {
  const url = socketUrl(PUBLIC_URL, secret, { ...CLAIMS, ...claims });
  const asked = (change ?? String)(url);
  const signed = (signedUrl ?? String)(url);
  return new Request(
    asked.replace(PUBLIC_URL.replace("https", "wss"), "http://edge-runtime.supabase.com"),
    {
      method,
      headers: {
        upgrade: "websocket",
        "x-twilio-signature": signature ?? sign(signed, new URLSearchParams(), token),
        ...headers,
      },
    },
  );
}
