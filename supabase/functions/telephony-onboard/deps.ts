import { dataApi } from "../_shared/db/client.ts";
import { sagaDeps } from "../_shared/onboarding/live.ts";
import type { Settings } from "../_shared/settings.ts";
import { signedInDeps } from "../_shared/signed_in.ts";
import type { OnboardDeps } from "./handler.ts";

export function liveDeps(settings: Settings): OnboardDeps {
  const shared = signedInDeps(settings, dataApi(settings.supabaseUrl, settings.secretKey));
  return { ...shared, saga: sagaDeps(settings, shared.log) };
}
