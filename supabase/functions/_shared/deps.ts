import { defaultProfile, type LineProfile } from "./calls/profile.ts";
import { dataApi } from "./db/client.ts";
import { type AcceptVoiceEvent, voiceEvents } from "./db/voice_events.ts";
import { consoleLog, type Log } from "./log.ts";
import { readSettings, type Settings } from "./settings.ts";
import { type AddressCheck, addressCheck } from "./twilio/ip_allowlist.ts";

/** What a webhook's handler needs from outside itself. */
export interface Deps {
  readonly settings: Settings;
  readonly line: LineProfile;
  readonly accept: AcceptVoiceEvent;
  readonly mayCall: AddressCheck;
  readonly log: Log;
  readonly now: () => Date;
}

/** The parts as a deployment has them, built once an isolate. */
export function depsFrom(settings: Settings): Deps {
  return {
    settings,
    line: defaultProfile(settings),
    accept: voiceEvents(dataApi(settings.supabaseUrl, settings.secretKey)),
    mayCall: addressCheck(settings.twilioIpAllowlist),
    log: consoleLog,
    now: () => new Date(),
  };
}

/** @throws {SettingError} at start-up, by the setting's name. */
export function liveDeps(): Deps {
  return depsFrom(readSettings((name) => Deno.env.get(name)));
}
