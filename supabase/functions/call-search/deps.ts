import { dataApi } from "../_shared/db/client.ts";
import { contactImport } from "../_shared/db/contacts.ts";
import { searchCalls } from "../_shared/db/search.ts";
import { embedderOf, meaningBy } from "../_shared/search/embed.ts";
import type { Settings } from "../_shared/settings.ts";
import { roomOf, signedInDeps } from "../_shared/signed_in.ts";
import type { CallSearchDeps } from "./handler.ts";

/** Of one signed-in person, who may search while typing. */
const LIMIT = { max: 120, window_sec: 60 };
/** Of one signed-in person's exports. */
const EXPORT_LIMIT = { max: 6, window_sec: 600 };

export function liveDeps(settings: Settings): CallSearchDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  return {
    ...signedInDeps(settings, api),
    // Under the secret key either way: a gateway may take the role from `apikey`, whatever token stands beside it.
    search: (asker, search) =>
      searchCalls(api, asker.kind === "operator" ? null : asker.claims, search),
    importContacts: contactImport(api),
    meaningOf: meaningBy(embedderOf(settings.models.openai)),
    takeRoom: roomOf(api, "call-search", LIMIT),
    takeExport: roomOf(api, "call-search export", EXPORT_LIMIT),
  };
}
