import { environment } from "../_shared/runtime.ts";
import { readSettings } from "../_shared/settings.ts";
import { liveDeps } from "./deps.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler(liveDeps(readSettings(environment))));
