import { readSettings } from "../_shared/settings.ts";
import { createHandler, metricsDeps } from "./handler.ts";

Deno.serve(createHandler(metricsDeps(readSettings((name) => Deno.env.get(name)))));
