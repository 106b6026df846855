import { environment } from "../_shared/runtime.ts";
import { readSettings } from "../_shared/settings.ts";
import { createHandler, workerDeps } from "./handler.ts";

Deno.serve(createHandler(workerDeps(readSettings(environment))));
