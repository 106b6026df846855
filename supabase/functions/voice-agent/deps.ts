import type { TalkDeps } from "../_shared/agent/driver.ts";
import { modelsOf } from "../_shared/agent/models/mod.ts";
import { agentDatabase } from "../_shared/db/agent.ts";
import { dataApi } from "../_shared/db/client.ts";
import { type Deps, depsFrom } from "../_shared/deps.ts";
import { delay, environment, inBackground } from "../_shared/runtime.ts";
import { readSettings, type Settings } from "../_shared/settings.ts";
import type { RelaySocket } from "../_shared/agent/driver.ts";

export interface AgentDeps extends Pick<Deps, "settings" | "tenants" | "mayCall" | "log" | "now"> {
  readonly flows: Deps["flows"];
  readonly settled: Deps["settled"];
  readonly talk: TalkDeps;
  readonly upgrade: (request: Request) => { socket: RelaySocket; response: Response };
  /** Keeps the isolate for work that goes on after the answer. */
  readonly inBackground: (work: Promise<unknown>) => void;
  /** When the isolate began, in milliseconds since 1970. */
  readonly bootedAt: number;
}

export function agentDepsFrom(settings: Settings): AgentDeps {
  const deps = depsFrom(settings);
  return {
    ...deps,
    talk: {
      database: agentDatabase(
        dataApi(settings.supabaseUrl, settings.secretKey),
        settings.agent,
      ),
      models: modelsOf(settings.models),
      log: deps.log,
      now: Date.now,
      wait: delay,
    },
    // A ping every 30 s finds a peer that is gone.
    upgrade: (request) => Deno.upgradeWebSocket(request, { idleTimeout: 30 }),
    inBackground,
    bootedAt: performance.timeOrigin,
  };
}

/** @throws {SettingError} at start-up, by the setting's name. */
export function liveAgentDeps(): AgentDeps {
  return agentDepsFrom(readSettings(environment));
}
