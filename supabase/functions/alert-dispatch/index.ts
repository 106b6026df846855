import { environment } from "../_shared/runtime.ts";
import { readSettings } from "../_shared/settings.ts";
import { createHandler, dispatchDeps } from "./handler.ts";

Deno.serve(createHandler(dispatchDeps(readSettings(environment))));
