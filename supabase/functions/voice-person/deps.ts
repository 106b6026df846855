import { dataApi } from "../_shared/db/client.ts";
import { dialling } from "../_shared/db/dialling.ts";
import type { Deps } from "../_shared/deps.ts";
import type { PersonDeps } from "./handler.ts";

export function personDeps(deps: Deps): PersonDeps {
  const { supabaseUrl, secretKey } = deps.settings;
  return { ...deps, dialling: dialling(dataApi(supabaseUrl, secretKey)) };
}
